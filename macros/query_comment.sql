{% macro query_comment(node) -%}
    {%- set sender = {
        'app': 'dbt',
        'project': project_name,
        'target': target.name,
        'invocation_id': invocation_id,
        'run_id': env_var('RUN_ID', ''),
        'node': node.unique_id if node else none
    } -%}
    {{ tojson(sender, sort_keys=true) }}
{%- endmacro %}
