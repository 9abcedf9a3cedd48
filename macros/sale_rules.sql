{#-
    The rules that a sale must keep. A sale that breaks one is rejected, and the first rule that it breaks, in the order
    of this list, is its `motivo`. docs/guide/change-a-rule.md says what to do when the list changes.

    Engines disagree about NaN: on PostgreSQL and DuckDB it is greater than every number, elsewhere every comparison
    with it is false. The conditions on amounts hold for both: an amount that is not infinite, not below the limit and
    not at or above it is NaN.
-#}
{% macro sale_rules() %}
    {%- set infinity = "cast('infinity' as double precision)" -%}
    {%- set first_day = "cast('" ~ var('primeiro_dia') ~ "' as date)" -%}
    {{ return([
        {'motivo': 'sem_chave', 'condition': 'id_venda is null'},
        {'motivo': 'valor_ausente', 'condition': 'venda is null'},
        {'motivo': 'valor_infinito', 'condition': 'venda = ' ~ infinity ~ ' or venda = -' ~ infinity},
        {'motivo': 'valor_nao_positivo', 'condition': 'venda < 0.005'},
        {'motivo': 'valor_fora_do_limite', 'condition': 'venda >= 1e16 and venda < ' ~ infinity},
        {'motivo': 'valor_nan', 'condition': 'not (venda < 1e16)'},
        {'motivo': 'data_ausente', 'condition': 'data_venda is null'},
        {'motivo': 'data_antes_da_empresa', 'condition': 'data_venda < ' ~ first_day},
        {'motivo': 'data_futura', 'condition': 'data_venda > ' ~ today()},
    ]) }}
{% endmacro %}
