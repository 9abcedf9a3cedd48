{{ config(materialized='incremental', incremental_strategy='latest_rows', on_schema_change='fail') }}

select * from ({{ latest_rows('raw_postgres', 'venda') }}) as latest
