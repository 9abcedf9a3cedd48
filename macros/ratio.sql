{#- A quotient as a double, null where the divisor is 0 or null. -#}
{% macro quotient(dividend, divisor) -%}
    cast({{ dividend }} as double precision) / nullif(cast({{ divisor }} as double precision), 0)
{%- endmacro %}


{#- A quotient with four decimals. The first cast makes both engines round halves alike, as in round_to_cents. -#}
{% macro ratio(dividend, divisor) -%}
    cast(cast({{ quotient(dividend, divisor) }} as numeric(38, 8)) as numeric(28, 4))
{%- endmacro %}


{% macro growth(amount, amount_before) -%}
    {{ ratio('(' ~ amount ~ ' - ' ~ amount_before ~ ')', amount_before) }}
{%- endmacro %}
