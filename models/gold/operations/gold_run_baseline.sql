-- The spread is the median distance from the median. Both are of the runs before the last one. The thresholds are in
-- the variable `baseline` of dbt_project.yml.
{{ config(materialized='view', bind=false) }}

{% set baseline = var('baseline') %}
{% set measures_of_runs = {
    'rows_source': 'rows_source',
    'rows_loaded': 'rows_loaded',
    'seconds': seconds_between('started_at', 'finished_at'),
} %}

with runs as (

    select *
    from {{ source('ops', 'extract_runs') }}
    where status <> 'failed' and {{ is_regular_read('mode') }}

),

measures as (

    {% for measure, value in measures_of_runs.items() %}
        select
            source,
            table_name,
            run_id,
            '{{ measure }}' as measure,
            {{ in_utc('started_at') }} as started_at,
            cast({{ value }} as double precision) as value
        from runs

        union all

    {% endfor %}
    select
        source,
        table_name,
        run_id,
        'rejected_share' as measure,
        {{ in_utc('built_at') }} as started_at,
        {{ quotient('rejected', '(silver + rejected)') }} as value
    from {{ source('ops', 'table_builds') }}

),

numbered as (

    select
        *,
        row_number() over (partition by source, table_name, measure order by started_at desc, run_id desc) as age
    from measures
    where value is not null

),

earlier as (

    select *
    from numbered
    where age between 2 and {{ baseline.runs + 1 }}

),

medians as (

    select
        source,
        table_name,
        measure,
        count(*) as runs,
        median(value) as median
    from earlier
    group by source, table_name, measure

),

distances as (

    select
        earlier.source,
        earlier.table_name,
        earlier.measure,
        abs(earlier.value - medians.median) as distance
    from earlier
    inner join medians
        on
            earlier.source = medians.source
            and earlier.table_name = medians.table_name
            and earlier.measure = medians.measure

),

spreads as (

    select
        source,
        table_name,
        measure,
        median(distance) as spread
    from distances
    group by source, table_name, measure

),

compared as (

    select
        numbered.source,
        numbered.table_name,
        numbered.measure,
        numbered.run_id,
        numbered.started_at,
        numbered.value,
        coalesce(medians.runs, 0) as runs,
        medians.median,
        spreads.spread,
        -- The least change that counts, because a table that hardly ever changes has no spread.
        case numbered.measure
            when 'seconds' then greatest({{ baseline.seconds }}, {{ baseline.share }} * medians.median)
            when 'rejected_share' then {{ baseline.rejected_share }}
            else {{ baseline.share }} * medians.median
        end as least_change
    from numbered
    left join medians
        on
            numbered.source = medians.source
            and numbered.table_name = medians.table_name
            and numbered.measure = medians.measure
    left join spreads
        on
            numbered.source = spreads.source
            and numbered.table_name = spreads.table_name
            and numbered.measure = spreads.measure
    where numbered.age = 1

)

select
    cast(source as varchar(40)) as source,
    cast(table_name as varchar(127)) as table_name,
    cast(measure as varchar(40)) as measure,
    cast(runs as integer) as runs,
    cast(median as double precision) as median,
    cast(spread as double precision) as spread,
    cast(value as double precision) as value,
    cast(run_id as varchar(80)) as run_id,
    cast(started_at as timestamp) as started_at,
    -- A median of no rows says that most runs load nothing: then rows are no surprise.
    cast(coalesce(
        runs >= {{ baseline.least_runs }}
        and not (measure like 'rows%' and median = 0)
        and abs(value - median) > greatest({{ baseline.spreads }} * spread, least_change), false
    ) as boolean) as is_unusual
from compared
