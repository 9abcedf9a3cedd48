{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- dbt calls this for every resource while it parses: wrong settings are reported before anything is sent -#}
    {%- do check_settings() -%}
    {%- set layer = custom_schema_name or 'silver' -%}
    {%- set prefix = env_var('DBT_SCHEMA', '') -%}
    {%- if target.name in ('local', 'sandbox') or (target.name == 'prod' and not prefix) -%}
        {{ layer }}
    {%- elif prefix and target.name == 'dev' -%}
        {{ prefix }}_{{ layer }}
    {%- else -%}
        {#- prod with a developer's prefix, dev without one, an unknown target: never in prod's schemas -#}
        misconfigured_{{ target.name }}_{{ layer }}
    {%- endif -%}
{%- endmacro %}
