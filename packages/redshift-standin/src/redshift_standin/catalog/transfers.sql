-- What COPY and UNLOAD did. The proxy writes it in its own session. Run after system_views.sql.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;

create table rs.transfers (
    query_id bigint, kind text, table_name text, place text, file_format text, compression text, row_count bigint,
    bytes bigint, error_count bigint
);
create table rs.transfer_files (query_id bigint, file_name text, bytes bigint, row_count bigint);

create view sys_load_history as
    select
        h.user_id, h.query_id, case h.status when 'success' then 'completed' else 'aborted' end as status, h.session_id,
        h.transaction_id, h.database_name, t.table_name, h.start_time, h.end_time, h.elapsed_time as duration,
        t.place as data_source, t.file_format, t.row_count as loaded_rows, t.bytes as loaded_bytes,
        (select count(*)::int from rs.transfer_files f where f.query_id = t.query_id) as source_file_count,
        t.bytes as source_file_bytes,
        (select count(*)::int from rs.transfer_files f where f.query_id = t.query_id) as file_count_scanned,
        t.bytes as file_bytes_scanned, t.error_count, 0::bigint as copy_job_id
    from rs.transfers t join sys_query_history h on h.query_id = t.query_id where t.kind = 'copy';
create view sys_load_detail as
    select
        h.user_id, h.query_id, f.file_name, f.bytes as bytes_scanned, f.row_count as lines_scanned, 0::bigint as splits_scanned,
        h.end_time as record_time, h.session_id, h.transaction_id, h.database_name
    from rs.transfer_files f
    join rs.transfers t on t.query_id = f.query_id and t.kind = 'copy'
    join sys_query_history h on h.query_id = f.query_id;
create view stl_load_commits as
    select
        h.user_id as userid, h.query_id::int as query, 0 as slice, f.file_name as name, f.file_name as filename,
        0 as byte_offset, f.row_count::int as lines_scanned, t.error_count::int as errors, h.end_time as curtime,
        case h.status when 'success' then 1 else 2 end as status, t.file_format, 0 as is_partial, 0::bigint as start_offset
    from rs.transfer_files f
    join rs.transfers t on t.query_id = f.query_id and t.kind = 'copy'
    join sys_query_history h on h.query_id = f.query_id;
create view sys_unload_history as
    select
        h.user_id, h.query_id, h.transaction_id, h.session_id, h.database_name,
        case h.status when 'success' then 'completed' else 'aborted' end as status, h.start_time, h.end_time,
        h.elapsed_time as duration, t.file_format, t.compression as compression_type, t.place as unloaded_location,
        t.row_count as unloaded_rows,
        (select count(*) from rs.transfer_files f where f.query_id = t.query_id) as unloaded_files_count,
        t.bytes as unloaded_files_size, h.error_message
    from rs.transfers t join sys_query_history h on h.query_id = t.query_id where t.kind = 'unload';
create view sys_unload_detail as
    select
        h.user_id, h.query_id, h.transaction_id, h.session_id, h.database_name, t.file_format, t.compression as compression_type,
        f.file_name, f.row_count, f.bytes as file_size, h.end_time as record_time
    from rs.transfer_files f
    join rs.transfers t on t.query_id = f.query_id and t.kind = 'unload'
    join sys_query_history h on h.query_id = f.query_id;
create view stl_unload_log as
    select
        h.user_id as userid, h.query_id::int as query, 0 as slice, h.session_id as pid, f.file_name as path,
        h.start_time, h.end_time, f.row_count as line_count, f.bytes as transfer_size, t.file_format
    from rs.transfer_files f
    join rs.transfers t on t.query_id = f.query_id and t.kind = 'unload'
    join sys_query_history h on h.query_id = f.query_id;

-- The proxy knows the session's last COPY and UNLOAD, and gives the values as arguments.
create function pg_last_copy_id(bigint) returns int language sql immutable as $$ select $1::int $$;
create function pg_last_copy_count(bigint) returns bigint language sql immutable as $$ select $1 $$;
create function pg_last_unload_id(bigint) returns int language sql immutable as $$ select $1::int $$;
create function pg_last_unload_count(bigint) returns bigint language sql immutable as $$ select $1 $$;
