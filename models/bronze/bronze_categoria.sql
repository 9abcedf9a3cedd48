with latest as (

    {{ latest_rows('raw_parquet', 'categoria') }}

)

select
    cast(id as bigint) as id,
    cast(nome_categoria as varchar(400)) as nome_categoria,
    cast(_file_path as varchar(1024)) as _file_path,
    cast(_file_date as date) as _file_date,
    _dlt_load_id,
    carregado_em
from latest
