{{ config(materialized='view', bind=false) }}

select
    id_venda,
    id_funcionario,
    id_categoria,
    data_venda,
    venda,
    valor,
    _dlt_load_id,
    carregado_em
from {{ ref('silver_venda_avaliada') }}
where motivo is null and excluida_em is null
