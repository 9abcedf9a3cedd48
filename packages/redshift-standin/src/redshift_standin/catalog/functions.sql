-- Redshift's functions: in pg_catalog those that PostgreSQL lacks; in rs those that PostgreSQL has with another result,
-- for which rewrite.py changes the calls. Run after catalog.sql.
-- https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html
set client_min_messages = warning;
set search_path = pg_catalog;

-- Dates. The parts are those of "Date parts for date or timestamp functions".
create function rs.getdate() returns timestamp language sql stable as $$
    select pg_catalog.date_trunc('second', now() at time zone 'UTC')
$$;
create function rs.sysdate() returns timestamp language sql stable as $$ select now() at time zone 'UTC' $$;
create function rs.no_part(part text) returns text language plpgsql immutable as $$
begin
    raise invalid_parameter_value using message = format('timestamp units "%s" not recognized', part);
end $$;
create function rs.part(part text) returns text language sql immutable as $$
    select case
        when lower($1) in ('millennium', 'millennia', 'mil', 'mils') then 'millennium'
        when lower($1) in ('century', 'centuries', 'c', 'cent', 'cents') then 'century'
        when lower($1) in ('decade', 'decades', 'dec', 'decs') then 'decade'
        when lower($1) in ('year', 'years', 'y', 'yr', 'yrs') then 'year'
        when lower($1) in ('quarter', 'quarters', 'qtr', 'qtrs') then 'quarter'
        when lower($1) in ('month', 'months', 'mon', 'mons') then 'month'
        when lower($1) in ('week', 'weeks', 'w') then 'week'
        when lower($1) in ('day', 'days', 'd') then 'day'
        when lower($1) in ('hour', 'hours', 'h', 'hr', 'hrs') then 'hour'
        when lower($1) in ('minute', 'minutes', 'm', 'min', 'mins') then 'minute'
        when lower($1) in ('second', 'seconds', 's', 'sec', 'secs') then 'second'
        when lower($1) in ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds', 'millisec',
                           'millisecs', 'millisecon') then 'millisecond'
        when lower($1) in ('microsecond', 'microseconds', 'microsec', 'microsecs', 'usecond', 'useconds', 'us', 'usec',
                           'usecs') then 'microsecond'
        when lower($1) in ('dayofweek', 'dow', 'dw', 'weekday') then 'dow'
        when lower($1) in ('dayofyear', 'doy', 'dy', 'yearday') then 'doy'
        when lower($1) in ('epoch', 'timezone', 'timezone_hour', 'timezone_minute') then lower($1)
        else rs.no_part($1)
    end
$$;
create function rs.date_add(part text, n bigint, d timestamp) returns timestamp language sql immutable as $$
    select d + case rs.part(part) when 'quarter' then 3 * n else n end
        * case rs.part(part) when 'quarter' then interval '1 month' else ('1 ' || rs.part(part))::interval end
$$;
create function rs.date_add(part text, n bigint, d date) returns timestamp language sql immutable as $$
    select rs.date_add(part, n, d::timestamp)
$$;
create function rs.date_add(part text, n bigint, d text) returns timestamp language sql immutable as $$
    select rs.date_add(part, n, d::timestamp)
$$;
create function rs.date_add(part text, n bigint, d timestamptz) returns timestamptz language sql immutable as $$
    select rs.date_add(part, n, d at time zone 'UTC') at time zone 'UTC'
$$;
-- The boundaries crossed, not the time between; weeks begin on Sunday.
create function rs.date_diff(part text, a timestamp, b timestamp) returns bigint language sql immutable as $$
    select case rs.part(part)
        when 'month' then (extract(year from b) - extract(year from a)) * 12 + extract(month from b) - extract(month from a)
        when 'quarter' then (extract(year from b) - extract(year from a)) * 4 + extract(quarter from b) - extract(quarter from a)
        when 'week' then (
            pg_catalog.date_trunc('week', b + interval '1 day')::date - pg_catalog.date_trunc('week', a + interval '1 day')::date
        ) / 7
        when 'day' then b::date - a::date
        when 'year' then extract(year from b) - extract(year from a)
        when 'decade' then extract(decade from b) - extract(decade from a)
        when 'century' then extract(century from b) - extract(century from a)
        when 'millennium' then extract(millennium from b) - extract(millennium from a)
        else trunc(
            extract(epoch from pg_catalog.date_trunc(rs.part(part), b) - pg_catalog.date_trunc(rs.part(part), a))
            / case rs.part(part)
                when 'hour' then 3600 when 'minute' then 60 when 'second' then 1 when 'millisecond' then 0.001
                when 'microsecond' then 0.000001 else rs.no_part(part)::numeric
            end
        )
    end::bigint
$$;
create function rs.date_diff(part text, a timestamptz, b timestamptz) returns bigint language sql immutable as $$
    select rs.date_diff(part, a at time zone 'UTC', b at time zone 'UTC')
$$;
create function rs.date_diff(part text, a text, b text) returns bigint language sql immutable as $$
    select rs.date_diff(part, a::timestamp, b::timestamp)
$$;
create function rs.date_trunc(part text, d timestamp) returns timestamp language sql immutable as $$
    select pg_catalog.date_trunc(rs.part(part), d)
$$;
create function rs.date_trunc(part text, d date) returns timestamp language sql immutable as $$
    select pg_catalog.date_trunc(rs.part(part), d::timestamp)
$$;
create function rs.date_trunc(part text, d text) returns timestamp language sql immutable as $$
    select pg_catalog.date_trunc(rs.part(part), d::timestamp)
$$;
create function rs.date_trunc(part text, d timestamptz) returns timestamptz language sql immutable as $$
    select pg_catalog.date_trunc(rs.part(part), d, 'UTC')
$$;
do $do$
declare
    source text;
begin
    foreach source in array array['timestamp', 'timestamptz', 'time', 'interval'] loop
        execute format(
            $f$create function rs.date_part(part text, d %s) returns float8 language sql stable as
               'select pg_catalog.date_part(rs.part(part), d)'$f$, source
        );
        -- EXTRACT returns an integer, except for a timestamp with time zone.
        execute format(
            $f$create function rs.extract(part text, d %1$s) returns %2$s language sql stable as
               'select trunc(pg_catalog.date_part(rs.part(part), d))::%2$s'$f$,
            source, case source when 'timestamptz' then 'float8' else 'int' end
        );
    end loop;
end $do$;
create function rs.date_part(part text, d date) returns float8 language sql immutable as $$
    select pg_catalog.date_part(rs.part(part), d::timestamp)
$$;
create function rs.extract(part text, d date) returns int language sql immutable as $$
    select trunc(pg_catalog.date_part(rs.part(part), d::timestamp))::int
$$;
create function last_day(d timestamp) returns date language sql immutable as $$
    select (pg_catalog.date_trunc('month', d) + interval '1 month - 1 day')::date
$$;
-- The last day of a month stays the last one.
create function add_months(d timestamp, n bigint) returns timestamp language sql immutable as $$
    select case
        when d::date = last_day(d) then last_day(d + n * interval '1 month') + d::time else d + n * interval '1 month'
    end
$$;
-- Whole months between the same days, or the last days, of two months; else fractions of 31 days.
create function months_between(a timestamp, b timestamp) returns float8 language sql immutable as $$
    select (extract(year from a) - extract(year from b)) * 12 + extract(month from a) - extract(month from b) + case
        when extract(day from a) = extract(day from b) or (a::date = last_day(a) and b::date = last_day(b)) then 0
        else (extract(epoch from a - pg_catalog.date_trunc('month', a))
              - extract(epoch from b - pg_catalog.date_trunc('month', b))) / 86400 / 31
    end::float8
$$;
create function trunc(d timestamp) returns date language sql immutable as $$ select d::date $$;
create function convert_timezone(source text, target text, t timestamp) returns timestamp language sql stable as $$
    select t at time zone source at time zone target
$$;
create function convert_timezone(target text, t timestamp) returns timestamp language sql stable as $$
    select t at time zone 'UTC' at time zone target
$$;

-- Texts.
create function len(text) returns int language sql immutable as $$ select length($1) $$;
create function replicate(text, int) returns text language sql immutable as $$ select repeat($1, $2) $$;
create function charindex(part text, whole text) returns int language sql immutable as $$ select strpos($2, $1) $$;
create function rs.concat(text, text) returns text language sql immutable as $$ select $1 || $2 $$;
create function rs.concat(anynonarray, text) returns text language sql stable as $$ select $1::text || $2 $$;
create function rs.concat(text, anynonarray) returns text language sql stable as $$ select $1 || $2::text $$;
create function rs.concat(anynonarray, anynonarray) returns text language sql stable as $$ select $1::text || $2::text $$;
create function rs.regexp_replace(text, text, text default '') returns text language sql immutable as $$
    select pg_catalog.regexp_replace($1, $2, $3, 'g')
$$;
create function rs.regexp_replace(text, text, text, int) returns text language sql immutable as $$
    select pg_catalog.regexp_replace($1, $2, $3, $4, 0)
$$;
create function sha2(text, int) returns varchar language sql immutable as $$
    select encode(case $2
        when 224 then sha224(convert_to($1, 'UTF8')) when 384 then sha384(convert_to($1, 'UTF8'))
        when 512 then sha512(convert_to($1, 'UTF8')) else sha256(convert_to($1, 'UTF8'))
    end, 'hex')
$$;
create function from_hex(text) returns varbyte language sql immutable as $$ select decode($1, 'hex')::varbyte $$;
create function to_hex(varbyte) returns varchar language sql immutable as $$ select encode($1::bytea, 'hex') $$;

-- JSON and SUPER.
create function json_parse(text) returns super language sql immutable as $$ select $1::jsonb::super $$;
create function rs.json_serialize(super) returns text language sql immutable as $$ select $1::jsonb::text $$;
create function rs.elements(super) returns setof super language sql immutable as $$
    select e::super from jsonb_array_elements(case jsonb_typeof($1::jsonb) when 'array' then $1::jsonb end) e
$$;
create function is_valid_json(text) returns bool language sql immutable as $$ select $1 is json object $$;
create function is_valid_json_array(text) returns bool language sql immutable as $$ select $1 is json array $$;
create function json_array_length(text) returns int language sql immutable as $$ select json_array_length($1::json) $$;
create function json_extract_path_text(text, variadic text[]) returns text language sql immutable as $$
    select json_extract_path_text($1::json, variadic $2)
$$;
create function json_extract_array_element_text(text, int) returns text language sql immutable as $$
    select $1::json ->> $2
$$;

-- Aggregates.
create function median_of(float8[]) returns float8 language sql immutable as $$
    select percentile_cont(0.5) within group (order by x) from unnest($1) x
$$;
create aggregate median(float8) (sfunc = array_append, stype = float8[], finalfunc = median_of, initcond = '{}');
create aggregate rs.listagg(text, text) (
    sfunc = string_agg_transfn, stype = internal, finalfunc = string_agg_finalfn
);
create function rs.listagg_step(text, anynonarray, text) returns text language sql immutable as $$
    select case when $2 is null then $1 else coalesce($1 || coalesce($3, ''), '') || $2::text end
$$;
create aggregate rs.listagg(anynonarray, text) (sfunc = rs.listagg_step, stype = text);
-- avg of integers is a truncated bigint.
create function rs.avg_step(state numeric[], value bigint) returns numeric[] language sql immutable as $$
    select case when value is null then state else array[state[1] + value, state[2] + 1] end
$$;
create function rs.avg_step(numeric[], smallint) returns numeric[] language sql immutable as $$
    select rs.avg_step($1, $2::bigint)
$$;
create function rs.avg_step(numeric[], integer) returns numeric[] language sql immutable as $$
    select rs.avg_step($1, $2::bigint)
$$;
create function rs.avg_end(state numeric[]) returns bigint language sql immutable as $$
    select case when state[2] > 0 then trunc(state[1] / state[2]) end::bigint
$$;
create aggregate rs.avg(smallint) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(integer) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(bigint) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(numeric) (
    sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg, sspace = 128
);
create aggregate rs.avg(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');
