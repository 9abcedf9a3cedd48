{#- A quotient as a double, null where the divisor is 0 or null. -#}
{% macro quotient(dividend, divisor) -%}
    cast({{ dividend }} as double precision) / nullif(cast({{ divisor }} as double precision), 0)
{%- endmacro %}
