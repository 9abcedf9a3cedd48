{% set week_days = [
    'segunda-feira', 'terça-feira', 'quarta-feira', 'quinta-feira', 'sexta-feira', 'sábado', 'domingo'
] %}
{% set months = [
    'janeiro', 'fevereiro', 'março', 'abril', 'maio', 'junho',
    'julho', 'agosto', 'setembro', 'outubro', 'novembro', 'dezembro'
] %}

with spine as (

    {{ dbt.date_spine('day', "cast('2015-01-01' as date)", "cast('2031-01-01' as date)") }}

),

days as (

    select cast(date_day as date) as data
    from spine

),

parts as (

    select
        data,
        cast(extract(year from data) as integer) as ano,
        cast(extract(quarter from data) as integer) as trimestre,
        cast(extract(month from data) as integer) as mes,
        cast(extract(day from data) as integer) as dia,
        -- Redshift has no ISO day of the week: its dow, like DuckDB's, starts with Sunday as 0
        cast(case when extract(dow from data) = 0 then 7 else extract(dow from data) end as integer) as dia_semana
    from days

)

select
    parts.data,
    parts.ano,
    parts.trimestre,
    parts.mes,
    cast(case parts.mes
        {%- for month in months %}
            when {{ loop.index }} then '{{ month }}'
        {%- endfor %}
    end as varchar(40)) as nome_mes,
    parts.dia,
    parts.dia_semana,
    cast(case parts.dia_semana
        {%- for week_day in week_days %}
            when {{ loop.index }} then '{{ week_day }}'
        {%- endfor %}
    end as varchar(40)) as nome_dia_semana,
    cast(parts.dia_semana >= 6 as boolean) as fim_de_semana,
    cast(feriado.nome as varchar(200)) as feriado,
    cast(feriado.tipo as varchar(40)) as tipo_feriado,
    cast(parts.dia_semana < 6 and coalesce(feriado.tipo, '') <> 'nacional' as boolean) as dia_util
from parts
left join {{ ref('feriado') }} as feriado on parts.data = feriado.data
