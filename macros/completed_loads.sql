{% macro completed_loads(source_name, table_name) -%}
    select
        load_id,
        cast(max(inserted_at) at time zone 'UTC' as timestamp) as carregado_em
    from {{ source(source_name, '_dlt_loads') }}
    where
        schema_name = '{{ table_name }}'
        and status = 0
    group by load_id
{%- endmacro %}
