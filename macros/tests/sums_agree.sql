{% test sums_agree(model, compared_with, sums) %}
    with sides as (

        select
            data_venda,
            'model' as side,
            {%- for column in sums %}
            sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ model }}
        group by 1

        union all

        select
            data_venda,
            'other' as side,
            {%- for column, expression in sums.items() %}
            sum({{ expression }}) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ compared_with }}
        group by 1

    )

    select
        data_venda,
        {%- for column in sums %}
        sum(case when side = 'model' then {{ column }} else 0 end) as {{ column }},
        sum(case when side = 'other' then {{ column }} else 0 end) as {{ column }}_expected{{ ',' if not loop.last }}
        {%- endfor %}
    from sides
    group by data_venda
    having
        {%- for column in sums %}
        sum(case when side = 'model' then {{ column }} else -{{ column }} end) <> 0
        {{ 'or' if not loop.last }}
        {%- endfor %}
{% endtest %}
