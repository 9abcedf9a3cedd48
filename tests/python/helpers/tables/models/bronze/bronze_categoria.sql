select * from ({{ latest_rows('raw_parquet', 'categoria') }}) as latest
