with loads as (

    {{ completed_loads('raw_api', 'funcionario') }}

),

-- each load has all employees: only the last one counts
last_snapshot as (

    select
        funcionario.id,
        funcionario.nome,
        loads.load_id,
        loads.carregado_em
    from {{ source('raw_api', 'funcionario') }} as funcionario
    inner join loads on funcionario._dlt_load_id = loads.load_id
    where loads.load_id = (select max(newest.load_id) from loads as newest)

)

select
    cast(id as bigint) as id,
    cast(nome as varchar(400)) as nome,
    cast(load_id as varchar(64)) as _dlt_load_id,
    carregado_em
from last_snapshot as funcionario -- Redshift requires an alias before qualify
qualify row_number() over (partition by id order by nome nulls last) = 1
