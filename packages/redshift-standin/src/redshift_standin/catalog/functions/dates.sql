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
