select * from ({{ latest_rows('raw_api', 'funcionario') }}) as latest
