-- A build reads only loads that are newer than those of this table; delete+insert replaces the sales that they contain.
-- It cannot replace rows without a key, because null matches nothing. Each load contains all rows without a key that the
-- source has, so the hook deletes the old ones, and those of the last completed load are inserted.
-- A deletion at the source is a version too, with a key only: the sale keeps its last values and is marked as deleted.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='id_venda',
    dist='id_venda',
    sort=['_dlt_load_id', 'data_venda'],
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where id_venda is null{% endif %}"
) }}

with loads as (

    {{ completed_loads('raw_postgres', 'venda') }}

),

new_loads as (

    select
        load_id,
        carregado_em
    from loads
    {% if is_incremental() %}
        where load_id > (select coalesce(max(present._dlt_load_id), '') from {{ this }} as present)
    {% endif %}

),

last_load as (

    select
        load_id,
        carregado_em
    from loads
    where load_id = (select max(newest.load_id) from loads as newest)

),

-- Two joins by the load id, which is the sort key, instead of one with OR: the engines skip the blocks of other loads.
arrived as (

    select
        venda.id_venda,
        venda.id_funcionario,
        venda.id_categoria,
        venda.data_venda,
        venda.venda,
        coalesce(venda._deleted, false) as is_deleted,
        new_loads.load_id,
        new_loads.carregado_em
    from {{ source('raw_postgres', 'venda') }} as venda
    inner join new_loads on venda._dlt_load_id = new_loads.load_id
    where venda.id_venda is not null

    union all

    select
        venda.id_venda,
        venda.id_funcionario,
        venda.id_categoria,
        venda.data_venda,
        venda.venda,
        false as is_deleted,
        last_load.load_id,
        last_load.carregado_em
    from {{ source('raw_postgres', 'venda') }} as venda
    inner join last_load on venda._dlt_load_id = last_load.load_id
    where venda.id_venda is null

),

deletions as (

    select
        id_venda,
        max(load_id) as load_id,
        max(carregado_em) as excluida_em
    from arrived
    where is_deleted
    group by id_venda

),

versions as (

    select
        id_venda,
        id_funcionario,
        id_categoria,
        data_venda,
        venda,
        load_id,
        carregado_em
    from arrived
    where not is_deleted

    {% if is_incremental() %}
        union all

        select
            id_venda,
            id_funcionario,
            id_categoria,
            data_venda,
            venda,
            _dlt_load_id as load_id,
            carregado_em
        from {{ this }}
        where id_venda in (select deletions.id_venda from deletions)
    {% endif %}

),

latest as (

    select *
    from versions as version -- Redshift requires an alias before qualify
    qualify
        id_venda is null
        or row_number() over (
            partition by id_venda
            order by
                load_id desc,
                data_venda desc nulls last,
                venda desc nulls last,
                id_funcionario desc nulls last,
                id_categoria desc nulls last
        ) = 1

)

select
    cast(latest.id_venda as integer) as id_venda,
    cast(latest.id_funcionario as integer) as id_funcionario,
    cast(latest.id_categoria as integer) as id_categoria,
    cast(latest.data_venda as date) as data_venda,
    cast(latest.venda as double precision) as venda,
    cast(deletions.excluida_em as timestamp) as excluida_em,
    cast(coalesce(deletions.load_id, latest.load_id) as varchar(64)) as _dlt_load_id,
    cast(coalesce(deletions.excluida_em, latest.carregado_em) as timestamp) as carregado_em
from latest
left join deletions
    on latest.id_venda = deletions.id_venda and latest.load_id < deletions.load_id
