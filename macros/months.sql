{% macro first_of_month(day) -%}
    cast({{ dbt.date_trunc('month', day) }} as date)
{%- endmacro %}


{% macro months_before(month, number) -%}
    cast({{ dbt.dateadd('month', -number, month) }} as date)
{%- endmacro %}
