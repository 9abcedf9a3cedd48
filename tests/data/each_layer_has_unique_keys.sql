-- A key stands once in a layer: in silver, a sale is either good or rejected, never both.
{% set keys = [
    ('bronze', 'funcionario', 'id', ['bronze_funcionario']),
    ('bronze', 'categoria', 'id', ['bronze_categoria']),
    ('bronze', 'venda', 'id_venda', ['bronze_venda']),
    ('silver', 'funcionario', 'id', ['silver_funcionario']),
    ('silver', 'categoria', 'id', ['silver_categoria']),
    ('silver', 'venda', 'id_venda', ['silver_venda', 'silver_venda_rejeitada']),
] %}

with keys as (

    {% for layer, entity, key, models in keys %}
        {% set last_entity = loop.last %}
        {% for model in models %}
            select
                cast('{{ layer }}' as varchar(40)) as layer,
                cast('{{ entity }}' as varchar(40)) as entity,
                cast({{ key }} as bigint) as key_value
            from {{ ref(model) }}
            where {{ key }} is not null
            {% if not (last_entity and loop.last) %}
                union all
            {% endif %}
        {% endfor %}
    {% endfor %}

)

select
    layer,
    entity,
    key_value,
    count(*) as copies
from keys
group by layer, entity, key_value
having count(*) > 1
