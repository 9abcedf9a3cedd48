{#-
    Rows that a unit test gives to a model, as a select in which every column has its type. A row names only the columns
    that matter to the test; the others have the values of this list.
-#}
{% macro unit_test_rows(table, rows) -%}
    {%- set load = {'_dlt_load_id': ['varchar(64)', '1']} -%}
    {%- set sale = {
        'id_venda': ['integer', 1],
        'id_funcionario': ['integer', 1],
        'id_categoria': ['integer', 1],
        'data_venda': ['date', '2025-01-01'],
        'venda': ['double precision', 10],
    } -%}
    {%- set loaded_sale = dict(sale, excluida_em=['timestamp', none], carregado_em=['timestamp', '2025-01-01'], **load) -%}
    {%- set tables = {
        '_dlt_loads': {
            'load_id': ['varchar(64)', '1'],
            'schema_name': ['varchar(64)', none],
            'status': ['bigint', 0],
            'inserted_at': ['timestamptz', '2025-01-01 12:00:00+00'],
        },
        'raw_api.funcionario': dict({'id': ['bigint', 1], 'nome': ['varchar(400)', 'Ana']}, **load),
        'raw_parquet.categoria': dict({
            'id': ['bigint', 1],
            'nome_categoria': ['varchar(400)', 'Livros'],
            '_file_path': ['varchar(1024)', 'raw/2025-01-01/categoria.parquet'],
            '_file_date': ['date', '2025-01-01'],
        }, **load),
        'raw_postgres.venda': dict(sale, _deleted=['boolean', none], **load),
        'bronze.venda': loaded_sale,
        'bronze.feriado': {
            'data': ['date', none],
            'nome': ['varchar(200)', none],
            'tipo': ['varchar(40)', none],
        },
        'silver.venda_avaliada': dict(loaded_sale, valor=['numeric(18, 2)', 10], motivo=['varchar(40)', none]),
        'silver.venda_dia_alterado': {'alteracao': ['bigint', 1], 'data_venda': ['date', '2025-01-01']},
        'silver.calendario': {
            'data': ['date', none],
            'dia_semana': ['integer', 1],
            'nome_dia_semana': ['varchar(40)', 'segunda-feira'],
            'tipo_feriado': ['varchar(40)', none],
            'dia_util': ['boolean', true],
        },
        'silver.categoria': {'id': ['bigint', 1], 'nome_categoria': ['varchar(400)', 'Livros']},
        'silver.funcionario': {'id': ['bigint', 1], 'nome': ['varchar(400)', 'Ana']},
        'gold.vendas_diarias': {
            'data_venda': ['date', '2025-01-01'],
            'id_categoria': ['integer', 1],
            'id_funcionario': ['integer', 1],
            'quantidade': ['bigint', 1],
            'valor': ['numeric(38, 2)', 10],
            'alteracao': ['bigint', 1],
        },
        'gold.rejeicoes': {'data_venda': ['date', '2025-01-01'], 'alteracao': ['bigint', 1]},
    } -%}
    {%- for row in rows -%}
        {%- for name in row if name not in tables[table] -%}
            {{ exceptions.raise_compiler_error(table ~ ' has no column ' ~ name) }}
        {%- endfor %}
        select
        {%- for name, (type, default) in tables[table].items() %}
            {%- set value = row.get(name, default) %}
            cast({{ 'null' if value is none else "'" ~ (value | string | replace("'", "''")) ~ "'" }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
        {{ 'union all' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
