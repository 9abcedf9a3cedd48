-- Of the tests that the last build ran: a test that was removed from the project does not fail for ever.
{{ config(materialized='view', bind=false) }}

with results as (

    select
        node,
        name,
        run_id,
        status,
        failures,
        message,
        {{ in_utc('started_at') }} as ran_at,
        row_number() over (partition by node order by started_at desc, run_id desc) as age
    from {{ source('ops', 'dbt_results') }}
    where kind in ('test', 'unit_test') and started_at is not null

),

last_build as (

    select run_id
    from results
    order by ran_at desc, run_id desc
    limit 1

),

passes as (

    select
        node,
        max(ran_at) as passed_at
    from results
    where status = 'pass'
    group by node

),

streaks as (

    select
        results.node,
        min(results.ran_at) as since,
        count(*) as builds
    from results
    left join passes on results.node = passes.node
    where passes.passed_at is null or results.ran_at > passes.passed_at
    group by results.node

)

select
    cast(results.node as varchar(1024)) as node,
    cast(results.name as varchar(1024)) as name,
    cast(results.status as varchar(40)) as status,
    cast(results.failures as bigint) as failures,
    cast(results.message as varchar(65535)) as message,
    cast(streaks.since as timestamp) as since,
    cast(streaks.builds as bigint) as builds,
    cast(results.ran_at as timestamp) as last_at
from results
inner join last_build on results.run_id = last_build.run_id
inner join streaks on results.node = streaks.node
where results.age = 1 and results.status <> 'pass'
