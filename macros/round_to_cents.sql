{% macro round_to_cents(amount) -%}
    cast(cast({{ amount }} as numeric(28, 8)) as numeric(18, 2))
{%- endmacro %}
