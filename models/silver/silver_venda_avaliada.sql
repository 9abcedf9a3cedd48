-- Every sale of bronze with its `motivo`: the first of the sale_rules that it breaks, or null.
-- An incremental build evaluates the sales of newer loads, and the sales that the new date can change: those that were
-- in the future at the last build, or are at this one. The strategy replaces them, and all sales without a key, and
-- writes the days that change to silver_venda_dia_alterado.
-- depends_on: {{ ref('silver_venda_dia_alterado') }}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_sales',
    dist='id_venda',
    sort=['data_venda'],
    on_schema_change='fail'
) }}

{% set columns_of_bronze -%}
    id_venda, id_funcionario, id_categoria, data_venda, venda, excluida_em, _dlt_load_id, carregado_em
{%- endset %}

with arrived as (

    select {{ columns_of_bronze }}
    from {{ ref('bronze_venda') }}
    {% if is_incremental() %}
        where
            id_venda is not null
            and _dlt_load_id > (select coalesce(max(present._dlt_load_id), '') from {{ this }} as present)

        union all

        select {{ columns_of_bronze }}
        from {{ ref('bronze_venda') }}
        where
            id_venda is null
            and _dlt_load_id >= (select coalesce(max(present._dlt_load_id), '') from {{ this }} as present)
    {% endif %}

),

sales as (

    select *
    from arrived

    {% if is_incremental() %}
        union all

        select {{ columns_of_bronze }}
        from {{ this }}
        where
            id_venda is not null
            and (motivo = 'data_futura' or data_venda > {{ today() }})
            and id_venda not in (select arrived.id_venda from arrived where arrived.id_venda is not null)
    {% endif %}

),

evaluated as (

    select
        *,
        case
            {%- for rule in sale_rules() %}
                when {{ rule.condition }} then '{{ rule.motivo }}'
            {%- endfor %}
        end as motivo
    from sales

)

select
    cast(id_venda as integer) as id_venda,
    cast(id_funcionario as integer) as id_funcionario,
    cast(id_categoria as integer) as id_categoria,
    cast(data_venda as date) as data_venda,
    cast(venda as double precision) as venda,
    cast(case when motivo is null then {{ round_to_cents('venda') }} end as numeric(18, 2)) as valor,
    cast(motivo as varchar(40)) as motivo,
    cast(excluida_em as timestamp) as excluida_em,
    cast(_dlt_load_id as varchar(64)) as _dlt_load_id,
    cast(carregado_em as timestamp) as carregado_em
from evaluated
