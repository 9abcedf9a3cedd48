{#- A quotient with four decimals. The first cast makes both engines round halves alike, as in round_to_cents. -#}
{% macro ratio(dividend, divisor) -%}
    cast(cast({{ quotient(dividend, divisor) }} as numeric(38, 8)) as numeric(28, 4))
{%- endmacro %}


{% macro growth(amount, amount_before) -%}
    {{ ratio('(' ~ amount ~ ' - ' ~ amount_before ~ ')', amount_before) }}
{%- endmacro %}
