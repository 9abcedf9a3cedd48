{% snapshot historia %}
{{ config(schema=none, unique_key='id', strategy='check', check_cols=['nome'], hard_deletes='invalidate') }}
select id, nome from {{ ref('cadastro') }}
{% endsnapshot %}
