{#-
    The latest version of each row of a raw table, from completed loads, as a select. The declaration of the table says
    which columns are its key and how it is loaded; dbt knows it when a model runs, not when it is parsed.

    Columns that are made here have two underscores in a row, which no column of a raw table has.
-#}
{% macro latest_rows(source_name, table_name) -%}
    {%- set raw = source(source_name, table_name) -%}
    {%- set loads = completed_loads(source_name, table_name) -%}
    {%- set table = declared_table(source_name, table_name) -%}
    {%- if table.mode in ['xmin', 'cursor'] -%}
        {{ latest_versions(raw, loads, table) }}
    {%- elif table.mode == 'files' -%}
        {{ rows_of_the_newest_files(raw, loads, table) }}
    {%- else -%}
        {{ rows_of_the_last_load(raw, loads, table) }}
    {%- endif -%}
{%- endmacro %}


{#- What the declaration says: mode, key, cursor, and the columns that bronze takes. -#}
{% macro declared_table(source_name, table_name) %}
    {%- set found = namespace(table={'mode': none, 'key': [], 'cursor': none, 'columns': []}) -%}
    {%- if execute and not graph.sources -%}
        {{ exceptions.raise_compiler_error(model.name ~ ': a unit test has no declarations; override declared_table') }}
    {%- endif -%}
    {%- for node in (graph.sources or {}).values() if node.source_name == source_name and node.name == table_name -%}
        {%- set words = node.config.meta.get('extract', {}) -%}
        {%- set columns = node.columns.values() | map(attribute='name') | reject('in', ['_deleted', '_dlt_load_id']) -%}
        {%- set found.table = {
            'mode': words.mode, 'key': words.get('key', []), 'cursor': words.get('cursor'), 'columns': columns | list
        } -%}
    {%- endfor -%}
    {%- if execute and not found.table.columns -%}
        {{ exceptions.raise_compiler_error(source_name ~ '.' ~ table_name ~ ': expected its columns in the dbt source') }}
    {%- endif -%}
    {{ return(found.table) }}
{% endmacro %}


{#- The last load of the CTE `loads`. -#}
{% macro last_of_loads() -%}
    select
        load_id as load__id,
        carregado_em as loaded__at
    from loads
    where load_id = (select max(newest.load_id) from loads as newest)
{%- endmacro %}


{#- The modes that read the whole table: each load is all of it, so only the last one counts. -#}
{% macro rows_of_the_last_load(raw, loads, table) -%}
    with loads as (

        {{ loads }}

    ),

    last_load as (

        {{ last_of_loads() }}

    ),

    present as (

        select
            {{ quoted(table.columns, 'raw_row') }}
            last_load.load__id,
            last_load.loaded__at
        from {{ raw }} as raw_row
        inner join last_load on raw_row._dlt_load_id = last_load.load__id

    )

    {{ one_row_per_key(table, 'present') }}
{%- endmacro %}


{#- Files: the newest date is the current state, and each load of a date has all files that it had then. -#}
{% macro rows_of_the_newest_files(raw, loads, table) -%}
    with loads as (

        {{ loads }}

    ),

    loaded as (

        select
            {{ quoted(table.columns, 'raw_row') }}
            loads.load_id as load__id,
            loads.carregado_em as loaded__at,
            max(loads.load_id) over (partition by raw_row._file_date) as last__load,
            max(raw_row._file_date) over () as newest__date
        from {{ raw }} as raw_row
        inner join loads on raw_row._dlt_load_id = loads.load_id

    ),

    present as (

        select *
        from loaded
        where
            _file_date = newest__date
            and load__id = last__load

    )

    {{ one_row_per_key(table, 'present') }}
{%- endmacro %}


{#-
    The modes that append. An incremental build reads only loads that are newer than those of its table. A deletion at the
    source is a version too, with a key only: the row keeps its last values, from the table itself if they were loaded
    before, and `excluida_em` says when. Rows without a whole key are those of the last completed load, because each
    load contains all of them.
-#}
{% macro latest_versions(raw, loads, table) -%}
    with loads as (

        {{ loads }}

    ),

    new_loads as (

        select
            load_id as load__id,
            carregado_em as loaded__at
        from loads
        {%- if is_incremental() %}
        where load_id > (select coalesce(max(present._dlt_load_id), '') from {{ this }} as present)
        {%- endif %}

    ),

    last_load as (

        {{ last_of_loads() }}

    ),

    -- Two joins by the load id, which is the sort key, instead of one with OR: the engines skip the blocks of other loads.
    arrived as (

        select
            {{ quoted(table.columns, 'raw_row') }}
            coalesce(raw_row._deleted, false) as is__deleted,
            new_loads.load__id,
            new_loads.loaded__at
        from {{ raw }} as raw_row
        inner join new_loads on raw_row._dlt_load_id = new_loads.load__id
        where {{ has_key(table, 'raw_row') }}

        union all

        select
            {{ quoted(table.columns, 'raw_row') }}
            false as is__deleted,
            last_load.load__id,
            last_load.loaded__at
        from {{ raw }} as raw_row
        inner join last_load on raw_row._dlt_load_id = last_load.load__id
        where not {{ has_key(table, 'raw_row') }}

    ),

    deletions as (

        select
            {{ quoted(table.key, 'arrived') }}
            max(arrived.load__id) as deleted__load,
            max(arrived.loaded__at) as deleted__at
        from arrived
        where arrived.is__deleted
        group by {{ quoted(table.key, 'arrived', last=true) }}

    ),

    versions as (

        select
            {{ quoted(table.columns, 'arrived') }}
            arrived.load__id,
            arrived.loaded__at
        from arrived
        where not arrived.is__deleted
        {%- if is_incremental() %}

        union all

        select
            {{ quoted(table.columns, 'built') }}
            built._dlt_load_id as load__id,
            built.carregado_em as loaded__at
        from {{ this }} as built
        inner join deletions on {{ same_key(table, 'built', 'deletions') }}
        {%- endif %}

    ),

    latest as (

        select *
        from versions as version -- Redshift requires an alias before qualify
        qualify
            not {{ has_key(table, 'version') }}
            or {{ number_of_the_version(table, 'version') }} = 1

    )

    select
        {{ quoted(table.columns, 'latest') }}
        cast(deletions.deleted__at as timestamp) as excluida_em,
        cast(coalesce(deletions.deleted__load, latest.load__id) as varchar(64)) as _dlt_load_id,
        cast(coalesce(deletions.deleted__at, latest.loaded__at) as timestamp) as carregado_em
    from latest
    left join deletions
        on {{ same_key(table, 'latest', 'deletions') }} and latest.load__id < deletions.deleted__load
{%- endmacro %}


{#- The final select of the modes that replace. Without a key every row counts. -#}
{% macro one_row_per_key(table, relation) -%}
    select
        {{ quoted(table.columns, 'version') }}
        cast(version.load__id as varchar(64)) as _dlt_load_id,
        cast(version.loaded__at as timestamp) as carregado_em
    from {{ relation }} as version -- Redshift requires an alias before qualify
    {%- if table.key %}
    qualify
        not {{ has_key(table, 'version') }}
        or {{ number_of_the_version(table, 'version') }} = 1
    {%- endif %}
{%- endmacro %}


{#-
    1 for the version of a key that counts: that of the latest load, of several there the one with the greatest cursor,
    and of several such always the same one.
-#}
{% macro number_of_the_version(table, alias) -%}
    row_number() over (
        partition by {{ quoted(table.key, alias, last=true) }}
        order by {{ alias }}.load__id desc
        {%- if table.cursor in table.columns %}, {{ alias }}.{{ adapter.quote(table.cursor) }} desc nulls last{% endif -%}
        {%- for column in table.columns if column not in table.key -%}
            , {{ alias }}.{{ adapter.quote(column) }} desc nulls last
        {%- endfor %}
    )
{%- endmacro %}


{% macro has_key(table, alias) -%}
    (
        {%- for column in table.key -%}
            {{ alias }}.{{ adapter.quote(column) }} is not null {{- ' and ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}


{% macro same_key(table, left, right) -%}
    {%- for column in table.key -%}
        {{ left }}.{{ adapter.quote(column) }} = {{ right }}.{{ adapter.quote(column) }} {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#- Columns of a relation with a comma after each, or after all but the last. -#}
{% macro quoted(columns, alias, last=false) -%}
    {%- for column in columns -%}
        {{ alias }}.{{ adapter.quote(column) }}{{ ', ' if not (last and loop.last) }}
    {%- endfor -%}
{%- endmacro %}


{#-
    The incremental strategy of models that select from `latest_rows`: their rows replace those with the same key, and
    all rows without a whole key, which equal nothing. The key is that of the declared table that the model reads.
-#}
{% macro get_incremental_latest_rows_sql(arguments) %}
    {%- set target, built = arguments.target_relation, arguments.temp_relation -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set found = namespace(table=none) -%}
    {%- for source_name, table_name in model.sources if not table_name.startswith('_dlt_') -%}
        {%- set found.table = declared_table(source_name, table_name) -%}
    {%- endfor -%}
    {%- if not found.table or not found.table.key -%}
        {{ exceptions.raise_compiler_error(model.name ~ ': expected one raw table with a key in its declaration') }}
    {%- endif -%}
    delete from {{ target }}
    where not {{ has_key(found.table, target) }};

    delete from {{ target }}
    using {{ built }} as built
    where {{ same_key(found.table, target, 'built') }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ built }}
{% endmacro %}
