-- What Redshift has and PostgreSQL has not: types, functions, and the system views that its clients ask for.
-- Run once by the superuser in a new database.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;

-- Types. SUPER is jsonb under its own name, VARBYTE bytea: clients know both by their type ids.
create type super;
create function super_in(cstring) returns super language internal immutable strict as 'jsonb_in';
create function super_out(super) returns cstring language internal immutable strict as 'jsonb_out';
create function super_recv(internal) returns super language internal immutable strict as 'jsonb_recv';
create function super_send(super) returns bytea language internal immutable strict as 'jsonb_send';
create type super (
    input = super_in, output = super_out, receive = super_recv, send = super_send, like = jsonb, category = 'U',
    subscript = jsonb_subscript_handler
);
create cast (super as jsonb) without function as implicit;
create cast (jsonb as super) without function as implicit;
create cast (super as text) with inout as assignment;
create cast (text as super) with inout as assignment;
create function super_int(super) returns int language sql immutable as $$
    select case when jsonb_typeof($1::jsonb) = 'number' then ($1::jsonb)::int end
$$;
create cast (super as int) with function super_int(super);
create type varbyte;
create function varbyte_in(cstring, oid, int) returns varbyte language internal immutable strict as 'byteain';
create function varbyte_out(varbyte) returns cstring language internal immutable strict as 'byteaout';
create type varbyte (
    input = varbyte_in, output = varbyte_out, typmod_in = varchartypmodin, typmod_out = varchartypmodout,
    like = bytea, category = 'U'
);
create cast (bytea as varbyte) without function as implicit;
create cast (varbyte as bytea) without function as implicit;

-- Functions. Where PostgreSQL has one of that name with another result, rewrite.py calls rs_… instead.
create function rs_getdate() returns timestamp language sql stable as $$
    select date_trunc('second', now() at time zone 'UTC')
$$;
create function len(text) returns int language sql immutable as $$ select length($1) $$;
create function rs_dateadd(part text, n bigint, d timestamp) returns timestamp language sql immutable as $$
    select case
        when lower(part) in ('quarter', 'qtr', 'q') then d + n * interval '3 month'
        else d + (n::text || ' ' || part)::interval
    end
$$;
-- Redshift counts the boundaries crossed, not the time between; weeks begin on Sunday.
create function rs_datediff(part text, a timestamp, b timestamp) returns bigint language sql immutable as $$
    select case lower(part)
        when 'year' then extract(year from b) - extract(year from a)
        when 'month' then (extract(year from b) - extract(year from a)) * 12 + extract(month from b) - extract(month from a)
        when 'quarter' then (extract(year from b) - extract(year from a)) * 4 + extract(quarter from b) - extract(quarter from a)
        when 'week' then (date_trunc('week', b + interval '1 day')::date - date_trunc('week', a + interval '1 day')::date) / 7
        when 'day' then b::date - a::date
        else trunc(
            extract(epoch from date_trunc(part, b) - date_trunc(part, a))
            / case lower(part) when 'hour' then 3600 when 'minute' then 60 when 'second' then 1 end
        )
    end::bigint
$$;
create function rs_dateadd(part text, n bigint, d timestamptz) returns timestamptz language sql immutable as $$
    select rs_dateadd(part, n, d at time zone 'UTC') at time zone 'UTC'
$$;
create function rs_datediff(part text, a timestamptz, b timestamptz) returns bigint language sql immutable as $$
    select rs_datediff(part, a at time zone 'UTC', b at time zone 'UTC')
$$;
create function json_parse(text) returns super language sql immutable as $$ select $1::jsonb::super $$;
create function rs_json_serialize(super) returns text language sql immutable as $$ select $1::jsonb::text $$;
create function is_valid_json(text) returns bool language sql immutable as $$ select $1 is json object $$;
create function json_extract_path_text(text, variadic text[]) returns text language sql immutable as $$
    select json_extract_path_text($1::json, variadic $2)
$$;
create function convert_timezone(source text, target text, t timestamp) returns timestamp language sql stable as $$
    select t at time zone source at time zone target
$$;
create function median_of(float8[]) returns float8 language sql immutable as $$
    select percentile_cont(0.5) within group (order by x) from unnest($1) x
$$;
create aggregate median(float8) (sfunc = array_append, stype = float8[], finalfunc = median_of, initcond = '{}');
-- avg of integers is a truncated bigint on Redshift.
create function rs_avg_step(state numeric[], value bigint) returns numeric[] language sql immutable as $$
    select case when value is null then state else array[state[1] + value, state[2] + 1] end
$$;
create function rs_avg_step(numeric[], smallint) returns numeric[] language sql immutable as $$
    select rs_avg_step($1, $2::bigint)
$$;
create function rs_avg_step(numeric[], integer) returns numeric[] language sql immutable as $$
    select rs_avg_step($1, $2::bigint)
$$;
create function rs_avg_end(state numeric[]) returns bigint language sql immutable as $$
    select case when state[2] > 0 then trunc(state[1] / state[2]) end::bigint
$$;
create aggregate rs_avg(smallint) (sfunc = rs_avg_step, stype = numeric[], finalfunc = rs_avg_end, initcond = '{0,0}');
create aggregate rs_avg(integer) (sfunc = rs_avg_step, stype = numeric[], finalfunc = rs_avg_end, initcond = '{0,0}');
create aggregate rs_avg(bigint) (sfunc = rs_avg_step, stype = numeric[], finalfunc = rs_avg_end, initcond = '{0,0}');
create aggregate rs_avg(numeric) (
    sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg, sspace = 128
);
create aggregate rs_avg(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');

-- Names longer than PostgreSQL's 63 bytes, by the short forms that names.py gives them.
create schema rs;
create table rs.names (short text primary key, whole text not null);
create function rs.whole(text) returns text language sql stable as $$
    select case
        when $1 like '%~____________' then coalesce((select n.whole from rs.names n where n.short = $1), $1) else $1
    end
$$;
create function rs.whole_text(body text) returns text language plpgsql stable as $$
declare
    name record;
begin
    for name in select * from rs.names n where position(n.short in body) > 0 loop
        body := replace(body, name.short, name.whole);
    end loop;
    return body;
end $$;
create function rs.short_text(body text) returns text language plpgsql stable as $$
declare
    name record;
begin
    if length(body) > 63 then
        for name in select * from rs.names n where position(n.whole in body) > 0 order by length(n.whole) desc loop
            body := replace(body, name.whole, name.short);
        end loop;
    end if;
    return body;
end $$;

-- Whether a query of one column knows that column, asked for lateral aliases.
create function rs.has_column(probe text) returns bool language plpgsql as $$
begin
    execute probe;
    return true;
exception
    when undefined_column then return false;
    when others then return true;
end $$;
create function rs.single(matches bigint) returns bool language plpgsql immutable as $$
begin
    if matches > 1 then
        raise cardinality_violation using message = 'Found multiple matches to update the same tuple.';
    end if;
    return true;
end $$;

-- varchar counts bytes: a cast cuts, an assignment refuses.
-- It takes the value so that the planner, which works out what is constant, cannot raise it beforehand.
create function rs.too_long(value varchar, length int) returns varchar language plpgsql immutable as $$
begin
    raise string_data_right_truncation
        using message = format('Value too long for character type (character varying(%s))', length);
end $$;
create function rs.cut(value varchar, length int) returns varchar language plpgsql immutable as $$
declare
    bytes bytea := convert_to(value, 'UTF8');
begin
    -- Not in the middle of a character: bytes 10xxxxxx continue one.
    while length > 0 and get_byte(bytes, length) between 128 and 191 loop
        length := length - 1;
    end loop;
    return convert_from(substring(bytes for length), 'UTF8');
end $$;
create function rs.varchar_of_bytes(varchar, int, bool) returns varchar language sql immutable as $$
    select case
        when $1 is null or $2 < 4 or octet_length($1) <= $2 - 4 then $1
        when $3 or octet_length(rtrim($1)) <= $2 - 4 then rs.cut($1, $2 - 4)
        else rs.too_long($1, $2 - 4)
    end
$$;
update pg_cast set castfunc = 'rs.varchar_of_bytes(varchar, int, bool)'::regprocedure
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;

-- What DDL said of a relation that PostgreSQL has no place for, taken from the comment that ddl.py adds.
create table rs.props (oid oid primary key, props jsonb not null);
create function rs.on_ddl() returns event_trigger language plpgsql security definer as $$
declare
    made record;
    remembered jsonb;
begin
    for made in
        select c.oid, c.relname from pg_event_trigger_ddl_commands() d join pg_class c on c.oid = d.objid
        where d.object_type in ('table', 'view')
    loop
        -- A query string may hold several statements, each with a comment of its own.
        for remembered in
            select m[1]::jsonb from regexp_matches(current_query(), '/\*rs:(\{.*?\})\*/', 'g') m
        loop
            if remembered ->> 'relation' = made.relname then
                insert into rs.props values (made.oid, remembered)
                on conflict (oid) do update set props = excluded.props;
            end if;
        end loop;
    end loop;
end $$;
create event trigger rs_ddl on ddl_command_end
    when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW') execute function rs.on_ddl();
