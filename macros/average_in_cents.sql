{#-
    An average of amounts as numeric(18,2), halves rounded up, in whole numbers: a first build has as many averages as rows,
    and a cast of a double to a decimal of 28 digits costs DuckDB more than the sums.
-#}
{% macro average_in_cents(total, number) -%}
    cast(cast(
        {{ divide_whole('(cast(' ~ total ~ ' * 200 as bigint) + ' ~ number ~ ')', '(2 * ' ~ number ~ ')') }}
        as numeric(18, 0)) * 0.01 as numeric(18, 2))
{%- endmacro %}


{% macro divide_whole(dividend, divisor) -%}
    {{ adapter.dispatch('divide_whole')(dividend, divisor) }}
{%- endmacro %}

{% macro duckdb__divide_whole(dividend, divisor) -%}
    divide({{ dividend }}, {{ divisor }})
{%- endmacro %}

{% macro redshift__divide_whole(dividend, divisor) -%}
    {{ dividend }} / {{ divisor }}
{%- endmacro %}
