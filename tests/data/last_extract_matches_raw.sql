-- For the last extract of each table that did not fail, raw has as many rows as it recorded as loaded and, if it read
-- the whole table, as many as the source had.
with extracts as (

    select
        source,
        table_name,
        mode,
        rows_source,
        rows_loaded,
        load_id
    from {{ source('ops', 'extract_runs') }}
    where status <> 'failed'
    qualify row_number() over (partition by source, table_name order by finished_at desc, run_id desc) = 1

),

raw_loads as (

    select
        cast('' as varchar(127)) as source,
        cast('' as varchar(127)) as table_name,
        cast('' as varchar(128)) as load_id,
        cast(0 as bigint) as rows_in_raw
    where false
    {% for table in loaded_tables() %}
        union all
        select
            cast('{{ table.source }}' as varchar(127)) as source,
            cast('{{ table.name }}' as varchar(127)) as table_name,
            _dlt_load_id as load_id,
            count(*) as rows_in_raw
        from {{ table.relation }}
        group by _dlt_load_id
    {% endfor %}

),

compared as (

    select
        extracts.source,
        extracts.table_name,
        extracts.mode,
        extracts.rows_source,
        extracts.rows_loaded,
        extracts.load_id,
        coalesce(raw_loads.rows_in_raw, 0) as rows_in_raw
    from extracts
    left join raw_loads
        on
            extracts.source = raw_loads.source
            and extracts.table_name = raw_loads.table_name
            and extracts.load_id = raw_loads.load_id

)

select *
from compared
where
    rows_loaded <> rows_in_raw
    or (mode in ('snapshot', 'full') and rows_source <> rows_in_raw)
