{{ config(materialized='view', bind=false) }}

select
    cast(id_venda as integer) as id_venda,
    cast(id_funcionario as integer) as id_funcionario,
    cast(id_categoria as integer) as id_categoria,
    cast(data_venda as date) as data_venda,
    cast(venda as double precision) as venda,
    cast(motivo as varchar(40)) as motivo,
    cast(_dlt_load_id as varchar(64)) as _dlt_load_id,
    cast(carregado_em as timestamp) as carregado_em
from {{ ref('silver_venda_avaliada') }}
where motivo is not null and excluida_em is null
