-- For the last extract of each table that did not fail, raw has as many rows as it recorded as loaded and, if it read
-- the whole table, as many as the source had. The tables are those of dbt_project.yml.
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

    {% for table in var('tables') %}
        select
            cast('{{ table.source }}' as varchar(40)) as source,
            cast('{{ table.name }}' as varchar(40)) as table_name,
            _dlt_load_id as load_id,
            count(*) as rows_in_raw
        from {{ source('raw_' ~ table.source, table.name) }}
        group by _dlt_load_id
        {% if not loop.last %}
            union all
        {% endif %}
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
