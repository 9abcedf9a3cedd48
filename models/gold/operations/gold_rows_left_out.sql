{{ config(materialized='view', bind=false) }}

with dead_letters as (

    select
        source,
        table_name,
        cast({{ in_utc('finished_at') }} as date) as day,
        sum(rows_dead_letter) as dead_letters
    from {{ source('ops', 'extract_runs') }}
    where rows_dead_letter is not null
    group by 1, 2, 3

),

builds as (

    select
        source,
        table_name,
        rejected,
        cast({{ in_utc('built_at') }} as date) as day,
        row_number() over (
            partition by source, table_name, cast({{ in_utc('built_at') }} as date)
            order by built_at desc, run_id desc
        ) as age
    from {{ source('ops', 'table_builds') }}

),

counts as (

    select
        day,
        source,
        table_name,
        dead_letters,
        null as rejected
    from dead_letters

    union all

    select
        day,
        source,
        table_name,
        null as dead_letters,
        rejected
    from builds
    where age = 1

)

select
    cast(day as date) as day,
    cast(source as varchar(40)) as source,
    cast(table_name as varchar(127)) as table_name,
    cast(sum(dead_letters) as bigint) as dead_letters,
    cast(sum(rejected) as bigint) as rejected
from counts
group by day, source, table_name
