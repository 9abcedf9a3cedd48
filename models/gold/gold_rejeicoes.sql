{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    sort=['data_venda'],
    on_schema_change='fail'
) }}

with sales as (

    select
        data_venda,
        motivo
    from {{ ref('silver_venda_rejeitada') }}
    {% if is_incremental() %}
        where {{ is_changed_day('data_venda', this) }}
    {% endif %}

)

select
    cast(data_venda as date) as data_venda,
    cast(motivo as varchar(40)) as motivo,
    cast(count(*) as bigint) as quantidade,
    cast({{ newest_change() }} as bigint) as alteracao
from sales
group by data_venda, motivo
