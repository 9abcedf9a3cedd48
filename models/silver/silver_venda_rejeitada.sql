{{ config(materialized='view', bind=false) }}

select
    id_venda,
    id_funcionario,
    id_categoria,
    data_venda,
    venda,
    motivo,
    _dlt_load_id,
    carregado_em
from {{ ref('silver_venda_avaliada') }}
where motivo is not null and excluida_em is null
