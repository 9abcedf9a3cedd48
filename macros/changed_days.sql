{#-
    The days of sales that have changed since a model was last built. A model that sums sales by day reads those days
    alone, and its strategy `replace_days` replaces them.
-#}
{% macro changed_days(built) -%}
    select change.data_venda
    from {{ ref('silver_venda_dia_alterado') }} as change
    where change.alteracao > (select coalesce(max(present.alteracao), 0) from {{ built }} as present)
{%- endmacro %}


{#- The number of the newest change, which a model keeps in its rows. -#}
{% macro newest_change() -%}
    (select coalesce(max(change.alteracao), 0) from {{ ref('silver_venda_dia_alterado') }} as change)
{%- endmacro %}


{#-
    The incremental strategy of `silver_venda_avaliada`: its sales replace those with the same key, and all sales
    without one. In the same transaction the days of the old and of the new sales are written to
    `silver_venda_dia_alterado`: afterwards nobody knows the day from which a sale was moved.
-#}
{% macro get_incremental_replace_sales_sql(arguments) %}
    {%- set target, built = arguments.target_relation, arguments.temp_relation -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set replaced -%}
        id_venda is null or id_venda in (select built.id_venda from {{ built }} as built)
    {%- endset -%}
    insert into {{ ref('silver_venda_dia_alterado') }} (alteracao, data_venda)
    select
        {{ newest_change() }} + 1,
        changed.data_venda
    from (
        select built.data_venda from {{ built }} as built
        union
        select data_venda from {{ target }} where {{ replaced }}
    ) as changed;

    delete from {{ target }}
    where {{ replaced }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ built }}
{% endmacro %}


{#- The incremental strategy of models that sum sales by day: the days that changed, or have no sale any more. -#}
{% macro get_incremental_replace_days_sql(arguments) %}
    {%- set target, built = arguments.target_relation, arguments.temp_relation -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ target }}
    where {{ is_changed_day('data_venda', target) }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ built }}
{% endmacro %}


{#- The condition for a row of a day that has changed. Sales without a date have a day of their own: null. -#}
{% macro is_changed_day(day, built) -%}
    (
        {{ day }} in ({{ changed_days(built) }})
        or (
            {{ day }} is null
            and exists ({{ changed_days(built) }} and change.data_venda is null)
        )
    )
{%- endmacro %}
