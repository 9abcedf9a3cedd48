{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- dbt calls this for every resource while it parses: what is wrong is told before anything is sent -#}
    {%- do check_settings() -%}
    {%- set layer = custom_schema_name or 'silver' -%}
    {%- set prefix = env_var('DBT_SCHEMA', '') -%}
    {%- if target.name in ('local', 'sandbox') or (target.name == 'prod' and not prefix) -%}
        {{ layer }}
    {%- elif prefix and target.name == 'dev' -%}
        {{ prefix }}_{{ layer }}
    {%- else -%}
        {#- prod with a developer's prefix, dev without one, a target nobody knows: somewhere, but never in prod's -#}
        misconfigured_{{ target.name }}_{{ layer }}
    {%- endif -%}
{%- endmacro %}
