{% macro today() -%}
    {%- set day = env_var('TODAY', '') -%}
    {%- if not day -%}
        {{ adapter.dispatch('current_date_sao_paulo')() }}
    {%- elif modules.re.fullmatch('[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', day) -%}
        cast('{{ day }}' as date)
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "TODAY must be a date such as 2025-12-31, not '" ~ day ~ "': correct it, or unset it to use the current date"
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__current_date_sao_paulo() -%}
    cast(current_timestamp at time zone 'America/Sao_Paulo' as date)
{%- endmacro %}

{% macro redshift__current_date_sao_paulo() -%}
    {#- getdate() is a timestamp in UTC without a zone: the first conversion adds the zone, the second changes it -#}
    cast(getdate() at time zone 'UTC' at time zone 'America/Sao_Paulo' as date)
{%- endmacro %}
