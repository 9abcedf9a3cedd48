{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='sync_all_columns') }}
select id, {{ "'x'::varchar(3) as nova" if var('depois', false) else 'nome' }} from {{ ref('cadastro') }}
