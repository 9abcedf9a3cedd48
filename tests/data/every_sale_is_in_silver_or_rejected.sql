-- For each load, bronze has as many sales (deleted ones excluded) as silver.venda and silver.venda_rejeitada together.
with silver as (

    select _dlt_load_id
    from {{ ref('silver_venda') }}

    union all

    select _dlt_load_id
    from {{ ref('silver_venda_rejeitada') }}

),

sales_in_silver as (

    select
        _dlt_load_id,
        count(*) as sales
    from silver
    group by _dlt_load_id

),

sales_in_bronze as (

    select
        _dlt_load_id,
        count(*) as sales
    from {{ ref('bronze_venda') }}
    where excluida_em is null
    group by _dlt_load_id

)

select
    coalesce(bronze._dlt_load_id, silver._dlt_load_id) as load_id,
    coalesce(bronze.sales, 0) as sales_in_bronze,
    coalesce(silver.sales, 0) as sales_in_silver
from sales_in_bronze as bronze
full outer join sales_in_silver as silver on bronze._dlt_load_id = silver._dlt_load_id
where coalesce(bronze.sales, 0) <> coalesce(silver.sales, 0)
