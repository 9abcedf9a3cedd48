-- An incremental build reads the sales of the days that have changed: those of new, corrected, moved and deleted sales.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    dist='even',
    sort=['data_venda'],
    on_schema_change='fail'
) }}

with sales as (

    select
        data_venda,
        id_categoria,
        id_funcionario,
        valor
    from {{ ref('silver_venda') }}
    {% if is_incremental() %}
        where data_venda in ({{ changed_days(this) }})
    {% endif %}

)

select
    cast(data_venda as date) as data_venda,
    cast(id_categoria as integer) as id_categoria,
    cast(id_funcionario as integer) as id_funcionario,
    cast(count(*) as bigint) as quantidade,
    cast(sum(valor) as numeric(38, 2)) as valor,
    {{ average_in_cents('sum(valor)', 'count(*)') }} as valor_medio,
    cast({{ newest_change() }} as bigint) as alteracao
from sales
group by data_venda, id_categoria, id_funcionario
