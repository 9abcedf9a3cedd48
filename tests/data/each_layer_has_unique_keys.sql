-- A key exists once in a layer. In silver, a sale is either valid or rejected, never both. The tables are those of
-- dbt_project.yml.
with keys as (

    {% for table in var('tables') %}
        {% set models = [('bronze', 'bronze_' ~ table.name), ('silver', 'silver_' ~ table.name)] %}
        {% if table.rejected %}
            {% do models.append(('silver', 'silver_' ~ table.name ~ '_rejeitada')) %}
        {% endif %}
        {% set last_table = loop.last %}
        {% for layer, model in models %}
            select
                cast('{{ layer }}' as varchar(40)) as layer,
                cast('{{ table.name }}' as varchar(40)) as entity,
                cast({{ table.key }} as bigint) as key_value
            from {{ ref(model) }}
            where {{ table.key }} is not null
            {% if not (last_table and loop.last) %}
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
