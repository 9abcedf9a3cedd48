{% macro last_extracted_at(source_name, table_name) -%}
    select max(finished_at)
    from {{ source('ops', 'extract_runs') }}
    where
        source = '{{ source_name }}'
        and table_name = '{{ table_name }}'
        and status <> 'failed'
{%- endmacro %}
