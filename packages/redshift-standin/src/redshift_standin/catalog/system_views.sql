-- The system views of Redshift that its clients ask for, and what SHOW answers. Run after system_catalog.sql.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;

create view rs.relations as
    select
        c.oid, c.relkind, n.nspname as schema_name, c.relname as name, c.relowner, c.reltuples,
        coalesce(p.props, '{}') as props
    from rs.pg_class_of_relations c
    join rs_catalog.pg_namespace n on n.oid = c.relnamespace
    left join rs.props p on p.oid = c.oid
    where c.relkind in ('r', 'v') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');

-- Executed statements as they were sent, and load errors. The proxy writes both in its own session, so that they survive
-- a client's rollback.
create table rs.query_history (
    query_id bigint generated always as identity primary key, user_name text, database_name text, session_id int,
    transaction_id bigint, query_type text, status text, start_time timestamp, end_time timestamp, elapsed_time bigint,
    query_label text, query_text text, error_message text
);
create view sys_query_history as
    select
        u.usesysid::int as user_id, h.query_id, h.query_label, h.transaction_id, h.session_id, h.database_name,
        h.query_type, h.status, false as result_cache_hit, h.start_time, h.end_time, h.elapsed_time,
        0::bigint as queue_time, h.elapsed_time as execution_time, h.error_message, h.query_text,
        'stand-in'::text as redshift_version
    from rs.query_history h left join pg_user u on u.usename = h.user_name;
create view sys_query_text as
    select
        u.usesysid::int as user_id, h.query_id, h.transaction_id, h.session_id, h.start_time, part as sequence,
        substr(h.query_text, part * 4000 + 1, 4000) as text
    from rs.query_history h
    left join pg_user u on u.usename = h.user_name,
    generate_series(0, (length(h.query_text) - 1) / 4000) part;
create table rs.load_errors (
    query_id bigint, file_name text, line_number bigint, column_name text, column_type text, column_length text,
    error_code int, error_message text, raw_line text, raw_field_value text
);
create view sys_load_error_detail as
    select
        h.user_id, e.query_id, h.transaction_id, h.session_id, h.database_name, null::int as table_id, h.start_time,
        e.file_name, e.line_number, rs.whole(e.column_name) as column_name, e.column_type, e.column_length, 0 as "position", e.error_code,
        e.error_message
    from rs.load_errors e join sys_query_history h on h.query_id = e.query_id;
create view stl_load_errors as
    select
        h.user_id as userid, 0 as slice, null::int as tbl, h.start_time as starttime, h.session_id as session,
        e.query_id as query, e.file_name as filename, e.line_number, rs.whole(e.column_name) as colname, e.column_type as type,
        e.column_length as col_length, 0 as "position", e.raw_line, e.raw_field_value, e.error_code as err_code,
        e.error_message as err_reason, 0 as is_partial, 0 as start_offset
    from rs.load_errors e join sys_query_history h on h.query_id = e.query_id;

-- Connections: the proxy writes them too.
create table rs.connections (
    event text, record_time timestamp, remote_host text, remote_port text, session_id int, database_name text,
    user_name text, duration bigint, ssl_version text, ssl_cipher text, application_name text, driver_version text,
    os_version text, plugin_name text, protocol_version int
);
create view sys_connection_log as
    select
        event, record_time, remote_host, remote_port, session_id, database_name, user_name,
        'password'::text as auth_method, duration, ssl_version, ssl_cipher, 0 as mtu, 'none'::text as ssl_compression,
        'none'::text as ssl_expansion, null::text as iam_auth_guid, application_name, driver_version, os_version,
        plugin_name, protocol_version, null::text as global_session_id
    from rs.connections;
create view stl_connection_log as
    select
        event, record_time as recordtime, remote_host as remotehost, remote_port as remoteport, session_id as pid,
        database_name as dbname, user_name as username, auth_method as authmethod, duration, ssl_version as sslversion,
        ssl_cipher as sslcipher, mtu, ssl_compression as sslcompression, ssl_expansion as sslexpansion,
        iam_auth_guid as iamauthguid, application_name, driver_version, os_version, plugin_name, protocol_version,
        global_session_id as sessionid, null::text as compression
    from sys_connection_log;
-- No transaction is undone here by the server itself.
create view stl_undone as
    select
        0 as userid, 0::bigint as xact_id, 0::bigint as xact_id_undone, rs.getdate() as undo_start_ts,
        rs.getdate() as undo_end_ts, 0 as table_id
    where false;

-- System views.
create view svv_table_info as
    select
        current_database()::text as "database", schema_name as "schema", oid as table_id, name as "table",
        case when props -> 'encode' is null then 'Y, AUTO(ENCODE)' else 'Y' end as encoded,
        case
            when props ->> 'distkey' is not null then 'KEY(' || rs.whole(props ->> 'distkey') || ')'
            else coalesce(props ->> 'diststyle', 'AUTO(ALL)')
        end as diststyle,
        case
            when props ->> 'interleaved' is not null then 'INTERLEAVED'
            else coalesce(rs.whole(props -> 'sort' ->> 0), 'AUTO(SORTKEY)')
        end as sortkey1, 256 as max_varchar, null::text as sortkey1_enc,
        coalesce(jsonb_array_length(props -> 'sort'), 0) as sortkey_num, 1::bigint as size, 0::numeric(10, 4) as pct_used,
        0::bigint as empty, 0::numeric(5, 2) as unsorted, 0::numeric(5, 2) as stats_off,
        greatest(reltuples, 0)::numeric(38, 0) as tbl_rows, 1::numeric(19, 2) as skew_sortkey1,
        1::numeric(19, 2) as skew_rows
    from rs.relations
    where relkind = 'r' or props ->> 'mv' is not null;
create view rs.materialized_views as
    select
        *, pg_get_userbyid(relowner)::text as owner, case when rs.is_stale_now(oid) then 't' else 'f' end as is_stale,
        (props ->> 'mv')::int as state, case props ->> 'autorefresh' when 'yes' then 't' else 'f' end as autorefresh
    from rs.relations where props ? 'mv';
create view svv_mv_info as
    select
        current_database()::char(128) as database_name, schema_name::char(128), owner::char(128) as user_name,
        name::char(128), is_stale::char(1), state, autorefresh::char(1), 'f'::char(1) as autorewrite
    from rs.materialized_views;
create view stv_mv_info as
    select
        current_database()::char(128) as db_name, schema_name::char(128) as schema, name::char(128),
        (select r.own::text::bigint from rs.refreshed r where r.view = oid) as updated_upto_xid, is_stale::char(1),
        owner::char(128) as owner_user_name, state, autorefresh::char(1), 'f'::char(1) as autorewrite
    from rs.materialized_views;
create view svv_mv_dependency as
    select
        current_database()::char(128) as database_name, v.schema_name::char(128), v.name::char(128),
        current_database()::char(128) as dependent_database_name, s.schema_name::char(128) as dependent_schema_name,
        s.name::char(128) as dependent_name
    from rs.materialized_views v, rs.sources(v.oid) o join rs.materialized_views s on s.oid = o;
create view stv_mv_deps as
    select
        database_name as db_name, schema_name as schema, name, dependent_schema_name as ref_schema,
        dependent_name as ref_name
    from svv_mv_dependency;
create view svv_redshift_schemas as
    select current_database()::text as database_name, nspname::text as schema_name, nspowner::int as schema_owner,
        'local'::text as schema_type, null::text as schema_acl
    from rs_catalog.pg_namespace where nspname <> 'pg_toast';
create view svv_redshift_columns as
    select table_catalog::text as database_name, table_schema::text as schema_name, table_name::text, column_name::text,
        ordinal_position::int, data_type::text, null::text as remarks
    from rs.columns;
create view svv_columns as
    select
        table_catalog::text, table_schema::text, table_name::text, column_name::text, ordinal_position::int,
        column_default::text, is_nullable::text, data_type::text, character_maximum_length::int, numeric_precision::int,
        numeric_precision_radix::int, numeric_scale::int, datetime_precision::int, interval_type::text,
        null::text as interval_precision, character_set_name::text, collation_name::text, domain_name::text,
        null::text as remarks
    from rs.columns;
create view svv_all_columns as
    select table_catalog as database_name, table_schema as schema_name, table_name, column_name, ordinal_position,
        column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
    from svv_columns;
create view svv_external_columns as
    select null::text as redshift_database_name, null::text as schemaname, null::text as tablename, null::text as columnname,
        null::text as external_type, 0 as columnnum where false;
create view svv_tables as
    select table_catalog::text, table_schema::text, table_name::text, table_type::text, null::text as remarks
    from rs_information_schema.tables;
create view svv_redshift_tables as
    select table_catalog as database_name, table_schema as schema_name, table_name,
        case table_type when 'BASE TABLE' then 'TABLE' else table_type end as table_type, null::text as table_acl, remarks
    from svv_tables;
create view svv_all_tables as select * from svv_redshift_tables;
create view svv_all_schemas as
    select *, null::text as source_database, null::text as schema_option from svv_redshift_schemas;
create view stv_db_isolation_level as
    select
        datname::text as db_name,
        case
            when 'default_transaction_isolation=serializable' = any(s.setconfig) then 'Serializable'
            else 'Snapshot Isolation'
        end as isolation_level
    from pg_database d left join pg_db_role_setting s on s.setdatabase = d.oid and s.setrole = 0;
create view svv_redshift_databases as
    select datname::text as database_name, datdba::int as database_owner, 'local'::text as database_type,
        null::text as database_acl, null::text as database_options,
        l.isolation_level as database_isolation_level
    from rs_catalog.pg_database d join stv_db_isolation_level l on l.db_name = d.datname;
create view pg_proc_info as select p.oid as prooid, p.* from rs_catalog.pg_proc p;
create view svv_relation_privileges as
    select
        schema_name as namespace_name, name as relation_name, privilege_type, 0 as identity_id, identity_name,
        identity_type, is_grantable as admin_option
    from rs.grants where object in (select oid from pg_class);
create view svv_schema_privileges as
    select
        schema_name as namespace_name, privilege_type, 0 as identity_id, identity_name, identity_type,
        is_grantable as admin_option
    from rs.grants where object in (select oid from pg_namespace);
create view svv_roles as
    select oid::int as role_id, rolname::text as role_name, null::text as role_owner, null::text as external_id
    from pg_roles where rs.identity_type(oid) = 'role' and rolname not like 'pg\_%';
create view svv_user_grants as
    select
        u.oid::int as user_id, u.rolname::text as user_name, r.role_id, r.role_name, m.admin_option
    from pg_auth_members m
    join svv_roles r on r.role_id = m.roleid::int
    join pg_roles u on u.oid = m.member and u.rolcanlogin;
create view svv_role_grants as
    select r.role_id, r.role_name, g.role_id as granted_role_id, g.role_name as granted_role_name
    from pg_auth_members m
    join svv_roles g on g.role_id = m.roleid::int
    join svv_roles r on r.role_id = m.member::int;
create view svv_user_info as
    select
        usename as user_name, usesysid::int as user_id, usecreatedb as createdb, usesuper as superuser,
        false as catalog_update, 'UNLIMITED'::text as connection_limit, 'RESTRICTED'::text as syslog_access
    from rs_catalog.pg_user;
create view svv_external_schemas as
    select 0 as esoid, 0::smallint as eskind, null::text as schemaname, 0 as esowner, null::text as databasename,
        null::text as esoptions where false;
create view svv_external_tables as
    select null::text as redshift_database_name, null::text as schemaname, null::text as tablename, null::text as location,
        null::text as input_format,
        null::text as output_format, null::text as serialization_lib, null::text as serde_parameters,
        0 as compressed, null::text as parameters, null::text as tabletype where false;
create view sys_query_detail as
    select oid as table_id, rs.getdate() as start_time, 'insert'::text as step_name from rs_catalog.pg_class where relkind = 'r';
create function pg_get_late_binding_view_cols() returns setof record language sql stable as $$
    select r.schema_name::varchar, r.name::varchar, rs.whole(a.attname)::varchar, rs.format_type(a.atttypid, a.atttypmod)::varchar,
        a.attnum::int
    from rs.relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
    where r.props ->> 'lbv' is not null and not exists (select from rs.bound b where b.late = r.oid and b.relation = 0)
$$;

-- What SHOW answers.
create view rs.show_schemas as
    select database_name, schema_name, pg_get_userbyid(schema_owner::oid)::text as schema_owner, schema_type, schema_acl
    from svv_redshift_schemas;
create view rs.show_tables as
    select
        current_database()::text as database_name, r.schema_name, r.name as table_name,
        case r.relkind when 'r' then 'TABLE' else 'VIEW' end as table_type, null::text as table_acl,
        d.description as remarks, pg_get_userbyid(r.relowner)::text as owner, rs.getdate() as last_altered_time,
        rs.getdate() as last_modified_time, null::text as dist_style,
        case
            when r.props ->> 'mv' is not null then 'MATERIALIZED VIEW'
            when r.props ->> 'lbv' is not null then 'LATE BINDING VIEW'
            when r.relkind = 'v' then 'REGULAR VIEW'
            else 'REGULAR TABLE'
        end as table_subtype
    from rs.relations r left join pg_description d on d.objoid = r.oid and d.objsubid = 0;
create view rs.show_columns as
    select
        table_catalog::text as database_name, table_schema::text as schema_name, table_name::text, column_name::text,
        ordinal_position::int, column_default::text, is_nullable::text, data_type::text,
        character_maximum_length::int, numeric_precision::int, numeric_scale::int, null::text as remarks
    from rs.columns;
create view rs.show_grants as
    select
        current_database()::text as database_name, schema_name, name as object_name, 'TABLE'::text as object_type,
        privilege_type, 0 as identity_id, identity_name, identity_type, is_grantable as admin_option,
        'TABLE'::text as privilege_scope
    from rs.grants where object in (select oid from pg_class);
