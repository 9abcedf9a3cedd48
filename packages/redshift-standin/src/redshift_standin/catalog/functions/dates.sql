-- Dates. The parts are those of "Date parts for date or timestamp functions".
-- In the session's time zone: GETDATE is the start of the statement, SYSDATE and CURRENT_DATE that of the transaction.
create function rs.getdate() returns timestamp language sql stable as $$
    select pg_catalog.date_trunc('second', statement_timestamp()::timestamp)
$$;
create function rs."timestamp"() returns timestamp language sql stable as $$ select localtimestamp $$;
create function rs."date"() returns date language sql stable as $$ select current_date $$;
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
-- February 29 plus a year is March 1; plus 12 months it is February 28.
create function rs.add_years(d timestamp, months numeric) returns timestamp language sql immutable as $$
    select d + months::float8 * interval '1 month' + case
        when extract(day from d) <> extract(day from d + months::float8 * interval '1 month') then interval '1 day'
        else interval '0'
    end
$$;
create function rs.date_add(part text, n bigint, d timestamp) returns timestamp language sql immutable as $$
    select case rs.part(part)
        when 'quarter' then d + 3 * n * interval '1 month'
        when 'year' then rs.add_years(d, 12 * n)
        when 'decade' then rs.add_years(d, 120 * n)
        when 'century' then rs.add_years(d, 1200 * n)
        when 'millennium' then rs.add_years(d, 12000 * n)
        when 'epoch' then rs.no_part(part)::timestamp
        when 'dow' then rs.no_part(part)::timestamp
        when 'doy' then rs.no_part(part)::timestamp
        else d + n * ('1 ' || rs.part(part))::interval
    end
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
-- A time has no parts from a day up. It goes round at midnight; with a time zone it is in UTC.
create function rs.time_part(part text) returns text language sql immutable as $$
    select case when rs.part(part) in ('hour', 'minute', 'second', 'millisecond', 'microsecond') then rs.part(part)
        else rs.no_part(part) end
$$;
create function rs.date_add(part text, n bigint, d time) returns time language sql immutable as $$
    select d + n * ('1 ' || rs.time_part(part))::interval
$$;
create function rs.date_add(part text, n bigint, d timetz) returns timetz language sql immutable as $$
    select d at time zone 'UTC' + n * ('1 ' || rs.time_part(part))::interval
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
create function rs.date_diff(part text, a date, b date) returns bigint language sql immutable as $$
    select rs.date_diff(part, a::timestamp, b::timestamp)
$$;
-- One for each pair of types: with implicit casts to texts and to timestamps, PostgreSQL could not choose.
do $do$
declare
    a text;
    b text;
    common text;
begin
    for a, b in
        with t as (select unnest(array['date', 'timestamp', 'timestamptz', 'text']) as name)
        select x.name, y.name from t x, t y
        where x.name <> y.name or x.name = 'text'
    loop
        common := case when 'timestamptz' in (a, b) then 'timestamptz' else 'timestamp' end;
        execute format(
            'create function rs.date_diff(part text, a %s, b %s) returns bigint language sql stable as '
            '$$ select rs.date_diff(part, a::%s, b::%3$s) $$', a, b, common
        );
    end loop;
end $do$;
create function rs.date_diff(part text, a time, b time) returns bigint language sql immutable as $$
    select rs.date_diff(rs.time_part(part), date '2000-01-01' + a, date '2000-01-01' + b)
$$;
create function rs.date_diff(part text, a timetz, b timetz) returns bigint language sql immutable as $$
    select rs.date_diff(part, (a at time zone 'UTC')::time, (b at time zone 'UTC')::time)
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
-- EXTRACT returns the one part as an integer: of milliseconds those within the second. It returns a float8 for a
-- timestamp with time zone. DATE_PART returns a float8 and seconds with their fraction.
-- Decades are counted from 1. The guide leaves open whether microseconds and milliseconds contain the parts above them:
-- where this matters, the part is refused.
create function rs.microseconds(inside numeric) returns numeric language sql immutable as $$
    select case when inside < 1000 then inside
        else rs.refuse('EXTRACT of microseconds above a millisecond')::numeric end
$$;
do $do$
declare
    source text;
begin
    foreach source in array array['timestamp', 'timestamptz', 'time', 'timetz', 'interval'] loop
        execute format(
            $f$create function rs.pgdate_part(part text, d %s) returns float8 language sql stable as $body$
                select case rs.part(part)
                    when 'decade' then pg_catalog.date_part('decade', d) + 1
                    when 'microsecond' then (extract(microsecond from d) %% 1000000)::float8
                    when 'millisecond' then rs.refuse('DATE_PART of milliseconds')::float8
                    else pg_catalog.date_part(rs.part(part), d)
                end
            $body$$f$, source
        );
        execute format(
            $f$create function rs.date_part(part text, d %1$s) returns %2$s language sql stable as $body$
                select case rs.part(part)
                    when 'decade' then pg_catalog.date_part('decade', d) + 1
                    when 'millisecond' then trunc(extract(millisecond from d)) %% 1000
                    when 'microsecond' then rs.microseconds(extract(microsecond from d) %% 1000000)
                    else trunc(pg_catalog.date_part(rs.part(part), d))
                end::%2$s
            $body$$f$, source, case source when 'timestamptz' then 'float8' else 'int' end
        );
    end loop;
end $do$;
create function rs.pgdate_part(part text, d date) returns float8 language sql stable as $$
    select rs.pgdate_part(part, d::timestamp)
$$;
create function rs.pgdate_part(part text, d text) returns float8 language sql stable as $$
    select rs.pgdate_part(part, d::timestamp)
$$;
create function rs.date_part(part text, d date) returns int language sql stable as $$
    select rs.date_part(part, d::timestamp)
$$;
create function rs.date_part(part text, d text) returns int language sql stable as $$
    select rs.date_part(part, d::timestamp)
$$;
create function date_part_year(date) returns int language sql immutable as $$ select extract(year from $1)::int $$;
-- EXTRACT of the epoch alone: an integer of 32 bits would end in 2038.
create function rs.date_part(timestamp) returns bigint language sql immutable as $$ select trunc(extract(epoch from $1))::bigint $$;
create function rs.date_part(date) returns bigint language sql immutable as $$ select extract(epoch from $1)::bigint $$;
create function rs.date_part(time) returns bigint language sql immutable as $$ select trunc(extract(epoch from $1))::bigint $$;
create function rs.date_part(timetz) returns bigint language sql immutable as $$ select trunc(extract(epoch from $1))::bigint $$;
create function rs.date_part(interval) returns bigint language sql immutable as $$ select trunc(extract(epoch from $1))::bigint $$;
create function rs.date_part(text) returns bigint language sql immutable as $$ select rs.date_part($1::timestamp) $$;
create function rs.date_part(timestamptz) returns float8 language sql immutable as $$ select trunc(extract(epoch from $1))::float8 $$;

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
create function rs.no_weekday(name text) returns int language plpgsql immutable as $$
begin
    raise invalid_parameter_value using message = format('Day of week "%s" not recognized', name);
end $$;
create function next_day(d timestamp, name text) returns date language sql immutable as $$
    select d::date + coalesce(nullif((case
        when lower(name) in ('su', 'sun', 'sunday') then 0 when lower(name) in ('m', 'mo', 'mon', 'monday') then 1
        when lower(name) in ('tu', 'tue', 'tues', 'tuesday') then 2
        when lower(name) in ('w', 'we', 'wed', 'wednesday') then 3
        when lower(name) in ('th', 'thu', 'thurs', 'thursday') then 4
        when lower(name) in ('f', 'fr', 'fri', 'friday') then 5
        when lower(name) in ('sa', 'sat', 'saturday') then 6 else rs.no_weekday(name)
    end - extract(dow from d)::int + 7) % 7, 0), 7)
$$;
create function trunc(d timestamp) returns date language sql immutable as $$ select d::date $$;
create function trunc(d timestamptz) returns date language sql stable as $$ select d::date $$;
-- A date is a timestamp, though PostgreSQL could also make a text of it.
create function last_day(d date) returns date language sql immutable as $$ select last_day(d::timestamp) $$;
create function add_months(d date, n bigint) returns timestamp language sql immutable as $$
    select add_months(d::timestamp, n)
$$;
create function months_between(a date, b date) returns float8 language sql immutable as $$
    select months_between(a::timestamp, b::timestamp)
$$;
create function months_between(a date, b timestamp) returns float8 language sql immutable as $$
    select months_between(a::timestamp, b)
$$;
create function months_between(a timestamp, b date) returns float8 language sql immutable as $$
    select months_between(a, b::timestamp)
$$;
create function next_day(d date, name text) returns date language sql immutable as $$
    select next_day(d::timestamp, name)
$$;
create function trunc(d date) returns date language sql immutable as $$ select d $$;
-- A text counts as a timestamp.
create function last_day(d text) returns date language sql immutable as $$ select last_day(d::timestamp) $$;
create function add_months(d text, n bigint) returns timestamp language sql immutable as $$
    select add_months(d::timestamp, n)
$$;
create function months_between(a text, b text) returns float8 language sql immutable as $$
    select months_between(a::timestamp, b::timestamp)
$$;
create function months_between(a timestamp, b text) returns float8 language sql immutable as $$
    select months_between(a, b::timestamp)
$$;
create function months_between(a text, b timestamp) returns float8 language sql immutable as $$
    select months_between(a::timestamp, b)
$$;
create function next_day(d text, name text) returns date language sql immutable as $$
    select next_day(d::timestamp, name)
$$;
-- A zone is a name, an abbreviation, or any name with an offset to the west: the name does not matter then.
create function rs.zone(name text) returns text language sql stable as $$
    select case when $1 ~ '^[A-Za-z/_ ]+[+-]\d{1,2}(:\d{2})?$' then regexp_replace($1, '^[A-Za-z/_ ]+', 'XXX') else $1 end
$$;
create function convert_timezone(source text, target text, t timestamp) returns timestamp language sql stable as $$
    select t at time zone rs.zone(source) at time zone rs.zone(target)
$$;
create function convert_timezone(source text, target text, t text) returns timestamp language sql stable as $$
    select convert_timezone(source, target, t::timestamp)
$$;
create function convert_timezone(target text, t timestamp) returns timestamp language sql stable as $$
    select t at time zone 'UTC' at time zone rs.zone(target)
$$;
create function convert_timezone(target text, t text) returns timestamp language sql stable as $$
    select convert_timezone(target, t::timestamp)
$$;

-- Formats. A timestamp without a time zone has the session's one in TZ and OF.
create function rs.to_char(d timestamp, format text) returns varchar language sql stable as $$
    select case when format ~* 'tz|of' then pg_catalog.to_char(d::timestamptz, format) else pg_catalog.to_char(d, format) end
$$;
create function rs.to_char(d timestamptz, format text) returns varchar language sql stable as $$
    select pg_catalog.to_char(d, format)
$$;
create function rs.to_char(d date, format text) returns varchar language sql stable as $$
    select rs.to_char(d::timestamp, format)
$$;
create function rs.to_char(d numeric, format text) returns varchar language sql stable as $$
    select pg_catalog.to_char(d, format)
$$;
create function rs.to_char(d float8, format text) returns varchar language sql stable as $$
    select pg_catalog.to_char(d, format)
$$;
create function rs.to_char(d int, format text) returns varchar language sql stable as $$
    select pg_catalog.to_char(d, format)
$$;
create function rs.to_char(d bigint, format text) returns varchar language sql stable as $$
    select pg_catalog.to_char(d, format)
$$;
create function rs.to_char(d text, format text) returns varchar language sql stable as $$
    select rs.to_char(d::timestamp, format)
$$;
-- Parts out of range are carried into the next ones, as PostgreSQL did before version 10: June 31 is July 1.
-- Only numbers are carried; a format with other parts is refused then.
create function rs.carried(value text, format text, strict bool, problem text) returns timestamp
language plpgsql immutable as $$
declare
    part text[];
    pattern text := '^\s*';
    rest text := upper(format);
    names text[] := '{}';
    found text[];
    number int;
    n jsonb := '{"YYYY": 1, "MM": 1, "DD": 1, "HH24": 0, "MI": 0, "SS": 0, "US": 0}';
begin
    while rest <> '' loop
        part := regexp_match(rest, '^(YYYY|MM|DD|HH24|MI|SS|MS|US|[-/:. ,T]+)');
        if part is null then
            perform rs.refuse('a date out of range in the format ' || format);
        end if;
        rest := substr(rest, length(part[1]) + 1);
        if part[1] ~ '^[A-SU-Z]' then
            names := names || part[1];
            pattern := pattern || case part[1] when 'YYYY' then '(\d{4})' when 'MS' then '(\d{1,3})' when 'US' then '(\d{1,6})' else '(\d{1,2})' end;
        else
            pattern := pattern || '[-/:. ,T]*';
        end if;
    end loop;
    found := regexp_match(value, pattern);
    if found is null then
        raise invalid_datetime_format using message = problem;
    end if;
    for number in 1 .. cardinality(names) loop
        n := n || case names[number]
            when 'MS' then jsonb_build_object('US', rpad(found[number], 3, '0')::int * 1000)
            when 'US' then jsonb_build_object('US', rpad(found[number], 6, '0')::int)
            else jsonb_build_object(names[number], found[number]::int) end;
    end loop;
    if strict then
        raise datetime_field_overflow using message = case
            when (n ->> 'HH24')::int > 23 or (n ->> 'MI')::int > 59 or (n ->> 'SS')::int > 59
            then format('date/time field time value out of range: %s:%s:%s.%s', n ->> 'HH24', n ->> 'MI', n ->> 'SS',
                        coalesce(nullif(rtrim(lpad(n ->> 'US', 6, '0'), '0'), ''), '0'))
            else format('date/time field date value out of range: %s-%s-%s', n ->> 'YYYY', n ->> 'MM', n ->> 'DD') end;
    end if;
    return make_date((n ->> 'YYYY')::int, 1, 1) + make_interval(
        months => (n ->> 'MM')::int - 1, days => (n ->> 'DD')::int - 1, hours => (n ->> 'HH24')::int,
        mins => (n ->> 'MI')::int, secs => (n ->> 'SS')::int + (n ->> 'US')::int / 1000000.0
    );
end $$;
create function rs.to_timestamp(value text, format text, strict bool default false) returns timestamptz
language plpgsql stable as $$
begin
    if trim(value) = '' then
        return timestamptz '0001-01-01 00:00:00';
    end if;
    if format ~* 'tz|of' then
        raise feature_not_supported using message = '"TZ"/"tz"/"OF" format patterns are not supported in to_date';
    end if;
    return pg_catalog.to_timestamp(value, format);
exception when datetime_field_overflow or invalid_datetime_format then
    return rs.carried(value, format, strict, sqlerrm);
end $$;
create function rs.to_timestamp(value timestamp, format text, strict bool default false) returns timestamptz
language sql stable as $$ select rs.to_timestamp(value::text, format, strict) $$;
create function rs.to_date(value text, format text, strict bool default false) returns date
language plpgsql stable as $$
begin
    if trim(value) = '' then
        perform rs.refuse('TO_DATE of an empty text');
    end if;
    return pg_catalog.to_date(value, format);
exception when datetime_field_overflow or invalid_datetime_format then
    return rs.carried(value, format, strict, sqlerrm)::date;
end $$;
create function rs.to_date(value timestamp, format text, strict bool default false) returns date
language sql stable as $$ select rs.to_date(value::text, format, strict) $$;
