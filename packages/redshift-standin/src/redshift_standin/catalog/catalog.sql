-- What PostgreSQL lacks: types, long names, lengths in bytes, and the attributes of relations.
-- Run once by the superuser in a new database, before the other scripts.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;

-- Types. VARBYTE is bytea under another name; functions/super.sql has SUPER. Clients recognise them by their ids.
create type varbyte;
create function varbyte_in(cstring, oid, int) returns varbyte language internal immutable strict as 'byteain';
create function varbyte_out(varbyte) returns cstring language internal immutable strict as 'byteaout';
create function varbyte_recv(internal) returns varbyte language internal immutable strict as 'bytearecv';
create function varbyte_send(varbyte) returns bytea language internal immutable strict as 'byteasend';
create type varbyte (
    input = varbyte_in, output = varbyte_out, receive = varbyte_recv, send = varbyte_send, typmod_in = varchartypmodin, typmod_out = varchartypmodout,
    like = bytea, category = 'U'
);
create cast (bytea as varbyte) without function as implicit;
create cast (varbyte as bytea) without function as implicit;

-- Names longer than PostgreSQL's 63 bytes, by the short forms that names.py creates.
create schema rs;
create table rs.names (short text primary key, whole text not null);
create function rs.long_name(text) returns text language sql stable as $$
    select coalesce((select n.whole from rs.names n where n.short = $1), $1)
$$;
-- Without a subquery of its own, so that PostgreSQL inlines it: catalogue queries call it for every row.
create function rs.whole(text) returns text language sql stable as $$
    select case when $1 like '%~____________' then rs.long_name($1) else $1 end
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
    if length(body) > 62 then
        for name in select * from rs.names n where position(n.whole in body) > 0 order by length(n.whole) desc loop
            body := replace(body, name.whole, name.short);
        end loop;
    end if;
    return body;
end $$;

-- Whether the column that a query selects exists; used for lateral aliases.
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

-- The error for what the stand-in cannot do as Redshift does. It returns text so that an expression can call it.
create function rs.refuse(what text) returns text language plpgsql immutable as $$
begin
    raise feature_not_supported using message = format(
        'stand-in: %s is not implemented here; real Redshift may accept it', what
    );
end $$;

-- varchar counts bytes: a cast truncates, an assignment fails.
-- It has the value as an argument so that the planner cannot evaluate it as a constant and raise early.
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
-- In plpgsql: a function in SQL would be replaced by its text, and a column of CREATE TABLE AS would lose the length.
create function rs.varchar_of_bytes(varchar, int, bool) returns varchar language plpgsql immutable as $$ begin
    return case
        when $1 is null or $2 < 4 or octet_length($1) <= $2 - 4 then $1
        when $3 or octet_length(rtrim($1)) <= $2 - 4 then rs.cut($1, $2 - 4)
        else rs.too_long($1, $2 - 4)
    end;
end $$;
update pg_cast set castfunc = 'rs.varchar_of_bytes(varchar, int, bool)'::regprocedure
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;

-- Attributes of a relation that PostgreSQL cannot store, from the comment that ddl.py adds.
create table rs.props (oid oid primary key, props jsonb not null);
-- Who created what: everything that a user of access.sql's kind creates belongs to the owner of the database.
create table rs.creators (object oid primary key, creator oid not null, owner oid not null);
create function rs.owner(object oid, owner oid) returns oid language sql stable as $$
    select coalesce((select c.creator from rs.creators c where c.object = $1 and c.owner = $2), $2)
$$;
-- Its caller is any user: names are those of pg_catalog alone, here and in every function with its owner's rights.
create function rs.on_ddl() returns event_trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made record;
    remembered jsonb;
    texts text;
begin
    insert into rs.creators
    select distinct objid, r.oid, owner
    from pg_event_trigger_ddl_commands() d
    join (
        select tableoid, oid, relowner as owner from pg_class union all select tableoid, oid, nspowner from pg_namespace
    ) o on o.tableoid = d.classid and o.oid = d.objid
    join pg_roles r on r.rolname = session_user
    where d.object_type in ('table', 'view', 'materialized view', 'schema') and owner <> r.oid
        and owner = (select datdba from pg_database where datname = current_database())  -- not CREATE SCHEMA AUTHORIZATION
    on conflict on constraint creators_pkey do update set creator = excluded.creator, owner = excluded.owner;
    for made in
        select c.oid, c.relname from pg_event_trigger_ddl_commands() d join pg_class c on c.oid = d.objid
        where d.object_type in ('table', 'view', 'materialized view')
    loop
        -- Redshift has no text: in CREATE TABLE AS such an expression becomes a varchar.
        select string_agg(format('alter %I type varchar', attname), ', ') into texts
        from pg_attribute where attrelid = made.oid and atttypid = 'text'::regtype and attnum > 0 and tg_tag = 'CREATE TABLE AS';
        if texts is not null then
            execute format('alter table %s %s', made.oid::regclass, texts);
        end if;
        -- A query string may contain several statements, each with its own comment.
        for remembered in
            select m[1]::jsonb from regexp_matches(current_query(), '/\*rs:(\{.*?\})\*/', 'g') m
        loop
            if remembered ->> 'relation' = made.relname then
                insert into rs.props values (made.oid, remembered)
                on conflict (oid) do update set props = excluded.props;
                if remembered ? 'mv' then
                    perform rs.note_refresh(made.oid);
                end if;
            end if;
        end loop;
    end loop;
end $$;
-- Lets access.sql's rs_keeper act for the owner of a view, which may be any user.
create function rs.enlist_owner(view oid) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    owner name := (
        select r.rolname from pg_class c join pg_roles r on r.oid = c.relowner
        where c.oid = view and c.relkind in ('v', 'm') and not r.rolsuper
    );
begin
    if not pg_has_role('rs_keeper', owner, 'usage') then
        execute format('grant %I to rs_keeper', owner);
    end if;
end $$;
-- Replaces a relation's attributes. Its owner alone may do so.
create function rs.keep_props(relation oid, noted jsonb) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(session_user, (select relowner from pg_class where oid = relation), 'member') then
        raise insufficient_privilege using message = format('must be owner of relation %s', relation::regclass);
    end if;
    insert into rs.props values (relation, noted) on conflict (oid) do update set props = excluded.props;
end $$;
create event trigger rs_ddl on ddl_command_end
    when tag in ('CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW')
    execute function rs.on_ddl();
