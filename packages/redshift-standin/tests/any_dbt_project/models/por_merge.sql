{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', on_schema_change='append_new_columns') }}
select id, nome{{ ', 7::int as nova' if var('depois', false) }} from {{ ref('cadastro') }}
