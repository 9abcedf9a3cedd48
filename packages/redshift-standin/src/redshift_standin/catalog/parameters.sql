-- The parameters of a session as SHOW and CURRENT_SETTING give them. parameters.py sets those that PostgreSQL lacks.
set client_min_messages = warning;
set search_path = pg_catalog;

create table rs.parameters (name text primary key, initial text not null);
insert into rs.parameters values
    ('analyze_threshold_percent', '10'), ('cast_super_null_on_error', 'on'), ('datashare_break_glass_session_var', ''),
    ('default_geometry_encoding', '2'), ('describe_field_name_in_uppercase', 'off'),
    ('downcase_delimited_identifier', 'on'), ('enable_case_sensitive_identifier', 'false'),
    ('enable_case_sensitive_super_attribute', 'false'), ('enable_result_cache_for_session', 'on'),
    ('enable_spectrum_oid', 'true'), ('enable_vacuum_boost', 'false'), ('error_on_nondeterministic_update', 'false'),
    ('json_serialization_enable', 'false'), ('json_serialization_parse_nested_strings', 'false'),
    ('max_concurrency_scaling_clusters', '1'), ('max_cursor_result_set_size', '0'), ('mv_enable_aqmv_for_session', 'true'),
    ('navigate_super_null_on_error', 'on'), ('parse_super_null_on_error', 'off'), ('pg_federation_repeatable_read', 'true'),
    ('query_group', 'default'), ('spectrum_enable_pseudo_columns', 'true'), ('spectrum_query_maxerror', '-1'),
    ('stored_proc_log_min_messages', 'LOG'), ('use_fips_ssl', 'off'), ('wlm_query_slot_count', '1');
-- Refuses a value that would change results: parameters.py does so for SET.
create function rs.check_parameter(name text, value text) returns void language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare
    initial text := (select p.initial from rs.parameters p where p.name = $1);
begin
    if name in (
        'cast_super_null_on_error', 'describe_field_name_in_uppercase', 'downcase_delimited_identifier',
        'enable_case_sensitive_identifier', 'enable_case_sensitive_super_attribute', 'error_on_nondeterministic_update',
        'json_serialization_enable', 'json_serialization_parse_nested_strings', 'navigate_super_null_on_error',
        'parse_super_null_on_error'
    ) and (lower(value) in ('on', 'true', '1')) <> (initial in ('on', 'true')) then
        perform rs.refuse(format('%s set to %s', name, value));
    end if;
end $$;
create function rs.current_setting(name text, error_if_undefined bool default true) returns varchar language sql stable as $$
    select case
        when lower($1) = 'server_version' then '8.0.2'
        when lower($1) = 'search_path' and (select source from pg_settings where name = 'search_path') = 'default' then '$user, public'
        else coalesce(
            nullif(pg_catalog.current_setting('rs.' || lower($1), true), ''),
            (select p.initial from rs.parameters p where p.name = lower($1)),
            pg_catalog.current_setting($1, not $2)
        )
    end
$$;
create view rs.parameters_shown as
    select name::varchar, rs.current_setting(name) as setting
    from (
        select name from rs.parameters
        union all select unnest(array['datestyle', 'extra_float_digits', 'search_path', 'statement_timeout', 'timezone'])
    ) all_names
    order by name;
