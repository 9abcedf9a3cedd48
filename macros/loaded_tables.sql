{#- What is declared is known when a test runs, not when it is parsed. A table whose first load failed does not exist. -#}
{% macro loaded_tables() %}
    {%- set found = [] -%}
    {%- for node in (graph.sources or {}).values() if execute and node.config.meta.get('extract', {}).mode -%}
        {%- set raw = api.Relation.create(database=node.database, schema=node.schema, identifier=node.identifier) -%}
        {%- if load_relation(raw) is not none -%}
            {%- do found.append({'source': node.source_name[4:], 'name': node.name, 'relation': raw}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}
