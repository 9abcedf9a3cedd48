select * from ({{ latest_rows('raw_postgres', 'venda') }}) as latest
