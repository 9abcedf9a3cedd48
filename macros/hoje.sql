{% macro hoje() -%}
    {%- set today = env_var('TODAY', '') -%}
    {%- if not today -%}
        {{ adapter.dispatch('current_date_sao_paulo')() }}
    {%- elif modules.re.fullmatch('[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', today) -%}
        cast('{{ today }}' as date)
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "TODAY must be a date such as 2025-12-31, not '" ~ today ~ "': correct it, or unset it to use the current date"
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__current_date_sao_paulo() -%}
    cast(current_timestamp at time zone 'America/Sao_Paulo' as date)
{%- endmacro %}

{% macro redshift__current_date_sao_paulo() -%}
    {#- getdate() is a timestamp without zone, in UTC: the first conversion says so, the second moves it -#}
    cast(getdate() at time zone 'UTC' at time zone 'America/Sao_Paulo' as date)
{%- endmacro %}
