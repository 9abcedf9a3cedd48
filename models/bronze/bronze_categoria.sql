with loads as (

    {{ completed_loads('raw_parquet', 'categoria') }}

),

loaded as (

    select
        categoria.id,
        categoria.nome_categoria,
        categoria._file_path,
        categoria._file_date,
        loads.load_id,
        loads.carregado_em,
        max(loads.load_id) over (partition by categoria._file_path) as last_load_of_file,
        max(categoria._file_date) over () as newest_file_date
    from {{ source('raw_parquet', 'categoria') }} as categoria
    inner join loads on categoria._dlt_load_id = loads.load_id

),

-- the newest file is the current state; the latest load of a file replaces its earlier loads
current_state as (

    select *
    from loaded
    where
        _file_date = newest_file_date
        and load_id = last_load_of_file

)

select
    cast(id as bigint) as id,
    cast(nome_categoria as varchar(400)) as nome_categoria,
    cast(_file_path as varchar(1024)) as _file_path,
    cast(_file_date as date) as _file_date,
    cast(load_id as varchar(64)) as _dlt_load_id,
    carregado_em
from current_state as categoria -- Redshift requires an alias before qualify
qualify row_number() over (
    partition by id
    order by load_id desc, _file_path desc, nome_categoria nulls last
) = 1
