{% macro query_comment(node) -%}
    {#- dbt calls this before it sends a statement. check_settings does not read RUN_ID: dbt parses the whole project
        again when a variable changes that was read while it parsed. Here the only way to raise an error is to require
        a variable; its name is the message. -#}
    {%- set run_id = env_var('RUN_ID', '') -%}
    {%- if run_id and not modules.re.fullmatch('[A-Za-z0-9_-]{1,80}', run_id) -%}
        {%- do env_var('RUN_ID of up to 80 letters, digits, _ and -') -%}
    {%- endif -%}
    {%- set sender = {
        'app': 'dbt',
        'project': project_name,
        'target': target.name,
        'invocation_id': invocation_id,
        'run_id': run_id,
        'node': node.unique_id if node else none
    } -%}
    {{ tojson(sender, sort_keys=true) }}
{%- endmacro %}
