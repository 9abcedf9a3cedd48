{{ config(materialized='view', bind=false) }}

with runs as (

    select
        *,
        row_number() over (partition by source, table_name order by finished_at desc, run_id desc) as age
    from {{ source('ops', 'extract_runs') }}
    where {{ is_regular_read('mode') }}

),

loaded as (

    select
        source,
        table_name,
        max(finished_at) as loaded_at
    from {{ source('ops', 'extract_runs') }}
    where status <> 'failed'
    group by source, table_name

),

builds as (

    select
        source,
        table_name,
        bronze,
        silver,
        rejected,
        row_number() over (partition by source, table_name order by built_at desc, run_id desc) as age
    from {{ source('ops', 'table_builds') }}

),

-- The id of the node of a source is source.<project>.raw_<source>.<table>.
freshness as (

    select
        substring(split_part(node, '.', 3), 5) as source,
        name as table_name,
        status,
        row_number() over (partition by node order by started_at desc, run_id desc) as age
    from {{ source('ops', 'dbt_results') }}
    where kind = 'source' and started_at is not null

)

select
    cast(runs.source as varchar(40)) as source,
    cast(runs.table_name as varchar(127)) as table_name,
    cast(runs.mode as varchar(40)) as mode,
    cast(runs.status as varchar(40)) as status,
    {{ in_utc('runs.started_at') }} as started_at,
    {{ in_utc('runs.finished_at') }} as finished_at,
    {{ seconds_between('runs.started_at', 'runs.finished_at') }} as seconds,
    cast(runs.rows_source as bigint) as rows_source,
    cast(runs.rows_loaded as bigint) as rows_loaded,
    cast(runs.rows_deleted as bigint) as rows_deleted,
    cast(runs.rows_dead_letter as bigint) as rows_dead_letter,
    cast(builds.bronze as bigint) as bronze,
    cast(builds.silver as bigint) as silver,
    cast(builds.rejected as bigint) as rejected,
    {{ in_utc('loaded.loaded_at') }} as loaded_at,
    cast(freshness.status as varchar(40)) as freshness,
    cast(runs.error as varchar(65535)) as error
from runs
left join loaded on runs.source = loaded.source and runs.table_name = loaded.table_name
left join builds
    on runs.source = builds.source and runs.table_name = builds.table_name and builds.age = 1
left join freshness
    on runs.source = freshness.source and runs.table_name = freshness.table_name and freshness.age = 1
where runs.age = 1
