-- Days with a known day of the week, holiday and working day.
{% set days = [
    ('2015-01-01', 4, 'nacional', false),
    ('2023-11-20', 1, 'nenhum', true),
    ('2024-02-13', 2, 'ponto_facultativo', true),
    ('2024-02-29', 4, 'nenhum', true),
    ('2024-03-29', 5, 'nacional', false),
    ('2024-03-31', 7, 'nenhum', false),
    ('2024-11-20', 3, 'nacional', false),
    ('2030-12-31', 2, 'nenhum', true),
] %}

with known as (

    {% for data, dia_semana, tipo_feriado, dia_util in days %}
        select
            cast('{{ data }}' as date) as data,
            cast({{ dia_semana }} as integer) as dia_semana,
            cast('{{ tipo_feriado }}' as varchar(40)) as tipo_feriado,
            cast({{ dia_util }} as boolean) as dia_util
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}

)

select
    known.data,
    calendario.dia_semana,
    calendario.tipo_feriado,
    calendario.dia_util
from known
left join {{ ref('silver_calendario') }} as calendario on known.data = calendario.data
where
    calendario.data is null
    or known.dia_semana <> calendario.dia_semana
    or known.tipo_feriado <> coalesce(calendario.tipo_feriado, 'nenhum')
    or known.dia_util <> calendario.dia_util
