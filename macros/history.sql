{#- The modes in which a run reads a table; the others are commands. -#}
{% macro is_regular_read(mode) -%}
    {{ mode }} in ('snapshot', 'full', 'cursor', 'xmin', 'files')
{%- endmacro %}


{#- A timestamp with a time zone as a timestamp in UTC. -#}
{% macro in_utc(moment) -%}
    cast({{ moment }} at time zone 'UTC' as timestamp)
{%- endmacro %}


{% macro seconds_between(started_at, finished_at) -%}
    cast({{ dbt.datediff(started_at, finished_at, 'millisecond') }} / 1000.0 as numeric(18, 3))
{%- endmacro %}
