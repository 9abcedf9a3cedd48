-- System administration and information functions.
create function rs.format_type(type oid, modifier int) returns text language sql stable as $$
    select case when $1 = 'text'::regtype then 'character varying' else pg_catalog.format_type($1, $2) end
$$;
create function rs.current_user_id() returns int language plpgsql stable as $$
begin
    return (select oid::int from pg_roles where rolname = rs."current_user"());
end $$;
create function rs.current_namespace() returns varchar language sql immutable as $$
    select '00000000-0000-0000-0000-000000000000'::varchar
$$;
create function rs.current_aws_account() returns varchar language sql immutable as $$ select '000000000000'::varchar $$;
-- The last statement of this session that read or wrote data; -1 before the first one.
create function pg_last_query_id() returns int language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce((
        select max(h.query_id) from rs.query_history h
        where h.session_id = pg_backend_pid() and h.status = 'success'
            and h.query_type in ('SELECT', 'CTAS', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY', 'UNLOAD')
            and h.end_time >= (select backend_start at time zone 'UTC' from pg_stat_activity where pid = pg_backend_pid())
    ), -1);
end $$;
create function rs.is_member(member name, role name) returns bool language sql stable as $$
    with recursive roles as (
        select oid from pg_roles where rolname = $1
        union
        select m.roleid from roles r join pg_auth_members m on m.member = r.oid
    )
    select exists (select from roles join pg_roles using (oid) where rolname = $2 and rolname <> $1)
$$;
create function user_is_member_of(user_name name, role_name name) returns bool language sql stable as $$
    select rs.is_member($1, $2)
$$;
create function role_is_member_of(role_name name, granted_role_name name) returns bool language sql stable as $$
    select rs.is_member($1, $2)
$$;
create function pg_get_cols(relation text) returns setof record language sql stable as $$
    select
        rs.whole(n.nspname)::varchar, rs.whole(c.relname)::varchar, rs.whole(a.attname)::varchar,
        rs.format_type(a.atttypid, a.atttypmod)::varchar, a.attnum::int
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where c.oid = rs.short_text(relation)::regclass and a.attnum > 0 and not a.attisdropped
    order by a.attnum
$$;
create procedure rs.cancel(process int) language plpgsql as $$
begin
    if not exists (select from pg_stat_activity where pid = process and backend_type = 'client backend') then
        raise invalid_parameter_value using message = format(
            'Session %s does not exist. The session PID might have changed. Check the stl_restarted_sessions system table for details.', process
        );
    end if;
    perform pg_cancel_backend(process);
end $$;
