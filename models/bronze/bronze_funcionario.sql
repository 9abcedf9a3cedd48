with latest as (

    {{ latest_rows('raw_api', 'funcionario') }}

)

select
    cast(id as bigint) as id,
    cast(nome as varchar(400)) as nome,
    _dlt_load_id,
    carregado_em
from latest
