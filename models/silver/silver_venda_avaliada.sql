-- Every sale of bronze with the first rule that it breaks, in the order written here.
-- The comparisons hold where NaN is greater than every number (PostgreSQL, DuckDB) and where each comparison
-- with it is false: what is neither infinite, nor below the limit, nor at or above it, is not a number.
-- A build judges what newer loads brought and what another day judges otherwise: sales of days that were to come at
-- the last build or are to come at this one, which stand here already. The hook takes out rows without a key, which
-- nothing can replace.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='id_venda',
    dist='id_venda',
    sort=['data_venda'],
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where id_venda is null{% endif %}"
) }}

{% set infinity = "cast('infinity' as double precision)" %}

with arrived as (

    select
        id_venda,
        id_funcionario,
        id_categoria,
        data_venda,
        venda,
        excluida_em,
        _dlt_load_id,
        carregado_em
    from {{ ref('bronze_venda') }}
    {% if is_incremental() %}
        where
            id_venda is not null
            and _dlt_load_id > (select coalesce(max(present._dlt_load_id), '') from {{ this }} as present)

        union all

        select
            id_venda,
            id_funcionario,
            id_categoria,
            data_venda,
            venda,
            excluida_em,
            _dlt_load_id,
            carregado_em
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

        select
            id_venda,
            id_funcionario,
            id_categoria,
            data_venda,
            venda,
            excluida_em,
            _dlt_load_id,
            carregado_em
        from {{ this }}
        where
            (motivo = 'data_futura' or data_venda > {{ hoje() }})
            and id_venda not in (select arrived.id_venda from arrived where arrived.id_venda is not null)
    {% endif %}

),

judged as (

    select
        id_venda,
        id_funcionario,
        id_categoria,
        data_venda,
        venda,
        case
            when id_venda is null then 'sem_chave'
            when venda is null then 'valor_ausente'
            when venda = {{ infinity }} or venda = -{{ infinity }} then 'valor_infinito'
            when venda < 0.005 then 'valor_nao_positivo'
            when venda >= 1e16 and venda < {{ infinity }} then 'valor_fora_do_limite'
            when not (venda < 1e16) then 'valor_nan'
            when data_venda is null then 'data_ausente'
            when data_venda < cast('{{ var("primeiro_dia") }}' as date) then 'data_antes_da_empresa'
            when data_venda > {{ hoje() }} then 'data_futura'
        end as motivo,
        excluida_em,
        _dlt_load_id,
        carregado_em
    from sales

)

select
    cast(id_venda as integer) as id_venda,
    cast(id_funcionario as integer) as id_funcionario,
    cast(id_categoria as integer) as id_categoria,
    cast(data_venda as date) as data_venda,
    cast(venda as double precision) as venda,
    cast(case when motivo is null then {{ reais('venda') }} end as numeric(18, 2)) as valor,
    cast(motivo as varchar(40)) as motivo,
    cast(excluida_em as timestamp) as excluida_em,
    cast(_dlt_load_id as varchar(64)) as _dlt_load_id,
    cast(carregado_em as timestamp) as carregado_em
from judged
