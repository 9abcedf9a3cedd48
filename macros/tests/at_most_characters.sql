{% test at_most_characters(model, column_name, characters) %}
    select {{ column_name }}
    from {{ model }}
    where {{ dbt.length(column_name) }} > {{ characters }}
{% endtest %}
