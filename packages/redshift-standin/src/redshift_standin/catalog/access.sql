-- What users may do. None of them is a superuser of PostgreSQL: its files, programs and settings are out of reach, and so
-- are this schema and pg_catalog. Run after all other scripts.
--
-- The database belongs to its admin. Full users, who sign in with temporary passwords, act as the admin. What they create
-- belongs to it, and rs.creators has who created it. Users that CREATE USER made have the rights that are granted to them.
set client_min_messages = warning;
set search_path = pg_catalog;

grant usage on schema rs, rs_catalog, rs_information_schema to public;
grant select on all tables in schema rs, rs_catalog, rs_information_schema to public;
do $do$
declare
    made regclass;
    called regprocedure;
begin
    for made in select oid from pg_class where oid >= 16384 and relnamespace = 'pg_catalog'::regnamespace and relkind = 'v' loop
        execute format('grant select on %s to public', made);
    end loop;
    -- Functions that run SQL of their own or change settings, and those of PostgreSQL's own services.
    for called in
        select oid from pg_proc
        where oid < 16384 and pronamespace = 'pg_catalog'::regnamespace and proname ~
            '^(set_config|(query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite|lo_.*|loread|lowrite|pg_notify|pg_export_snapshot|pg_(try_)?advisory.*|pg_log_backend.*|pg_replication.*|pg_logical.*|pg_(create|drop|copy|sync)_.*slot.*)$'
    loop
        execute format('revoke execute on function %s from public', called);
    end loop;
end $do$;
revoke update on pg_settings from public;
-- Redshift's default, which PostgreSQL had until version 15.
grant create on schema public to public;

-- ALTER TABLE … OWNER TO: PostgreSQL asks that the new owner may create in the schema, unless a superuser gives it.
create function rs.change_owner(relation regclass, owner text) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(session_user, (select relowner from pg_class where oid = relation), 'member') then
        raise insufficient_privilege using message = format('must be owner of relation %s', relation);
    elsif not pg_has_role(session_user, owner, 'member') then
        raise insufficient_privilege using message = format('must be a superuser to give a relation to user "%s"', owner);
    end if;
    execute format('alter table %s owner to %I', relation, owner);
end $$;

-- Waits for another COPY into the table.
create function rs.begin_copy(target regclass) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
    select pg_advisory_xact_lock(1, target::oid::int)
$$;

-- SET_CONFIG for the settings that clients may change.
create function rs.set_config(name text, value text, local bool) returns text language plpgsql security definer as $$
begin
    -- Operators too are those of pg_catalog: the search_path, which this function may change, is the caller's.
    name := pg_catalog.lower(name);
    if exists (select from rs.parameters p where p.name operator(pg_catalog.=) set_config.name) then
        perform rs.check_parameter(name, value);
        return pg_catalog.set_config('rs.' operator(pg_catalog.||) name, value, local);
    elsif not name operator(pg_catalog.=) any (array[
        'application_name', 'datestyle', 'extra_float_digits', 'search_path', 'statement_timeout', 'timezone'
    ]) then
        raise undefined_object using message = pg_catalog.format('unrecognized configuration parameter "%s"', name);
    end if;
    return pg_catalog.set_config(name, value, local);
end $$;

-- Who writes late-binding views: their text is a client's. It has the rights of the
-- views' owners, and may note what it wrote.
do $do$
begin
    create role rs_keeper nologin;
exception
    when duplicate_object then null;  -- it is one for all databases of the server
end $do$;
grant insert, update, delete on rs.bound, rs.props, rs.refreshed to rs_keeper;
alter function rs.bind(rs.late_views) owner to rs_keeper;
-- They read the sources of materialized views, of which the functions are a client's.
alter function rs.note_refresh(oid) owner to rs_keeper;
alter function rs.is_stale_now(oid) owner to rs_keeper;
