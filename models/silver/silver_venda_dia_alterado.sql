-- Creates the table. The rows are from `silver_venda_avaliada`, whose incremental build adds the days that it changes.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    full_refresh=false
) }}

select
    cast(null as bigint) as alteracao,
    cast(null as date) as data_venda
where false
