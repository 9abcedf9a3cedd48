{% test unique_combination(model, columns) %}
    {%- set quoted_columns -%}
        {%- for column in columns %}{{ adapter.quote(column) }}{{ ', ' if not loop.last }}{% endfor -%}
    {%- endset %}
    select
        {{ quoted_columns }},
        count(*) as copies
    from {{ model }}
    where
        {%- for column in columns %}
        {{ adapter.quote(column) }} is not null{{ ' and' if not loop.last }}
        {%- endfor %}
    group by {{ quoted_columns }}
    having count(*) > 1
{% endtest %}
