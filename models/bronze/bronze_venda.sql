{{ config(
    materialized='incremental',
    dist='id_venda',
    sort=['_dlt_load_id', 'data_venda']
) }}

with latest as (

    {{ latest_rows('raw_postgres', 'venda') }}

)

select
    cast(id_venda as integer) as id_venda,
    cast(id_funcionario as integer) as id_funcionario,
    cast(id_categoria as integer) as id_categoria,
    cast(data_venda as date) as data_venda,
    cast(venda as double precision) as venda,
    excluida_em,
    _dlt_load_id,
    carregado_em
from latest
