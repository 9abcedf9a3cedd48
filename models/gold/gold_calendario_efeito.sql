-- A normal day is neither a holiday, nor a `ponto facultativo`, nor the eve of a holiday. Weekdays are compared with
-- all normal days, the other kinds of days with the normal days of the same weekdays.
{{ config(materialized='view', bind=false) }}

with sums as (

    select
        data_venda,
        sum(valor) as valor
    from {{ ref('gold_vendas_diarias') }}
    group by data_venda

),

calendar as (

    select
        data,
        dia_semana,
        nome_dia_semana,
        case
            when tipo_feriado = 'nacional' then 'feriado'
            when tipo_feriado = 'ponto_facultativo' then 'ponto facultativo'
            when lead(tipo_feriado) over (order by data) = 'nacional' then 'véspera de feriado'
            else 'normal'
        end as tipo_dia
    from {{ ref('silver_calendario') }}

),

-- From the first to the last day with sales; a day without a sale counts.
days as (

    select
        calendar.dia_semana,
        calendar.nome_dia_semana,
        calendar.tipo_dia,
        coalesce(sums.valor, 0) as valor
    from calendar
    left join sums on calendar.data = sums.data_venda
    where
        calendar.data >= (select min(sums.data_venda) from sums)
        and calendar.data <= (select max(sums.data_venda) from sums)

),

weekdays as (

    select
        dia_semana,
        nome_dia_semana,
        count(*) as dias,
        sum(valor) as valor,
        {{ quotient('sum(valor)', 'count(*)') }} as media
    from days
    where tipo_dia = 'normal'
    group by dia_semana, nome_dia_semana

),

normal as (

    select {{ quotient('sum(valor)', 'sum(dias)') }} as media
    from weekdays

),

other_days as (

    select
        days.tipo_dia,
        count(*) as dias,
        sum(days.valor) as valor,
        {{ quotient('sum(weekdays.media)', 'count(weekdays.media)') }} as esperado
    from days
    left join weekdays on days.dia_semana = weekdays.dia_semana
    where days.tipo_dia <> 'normal'
    group by days.tipo_dia

),

kinds as (

    select
        'dia da semana' as grupo,
        weekdays.nome_dia_semana as tipo,
        weekdays.dia_semana as ordem,
        weekdays.dias,
        weekdays.valor,
        normal.media as esperado
    from weekdays
    cross join normal

    union all

    select
        'tipo de dia' as grupo,
        tipo_dia as tipo,
        case tipo_dia when 'feriado' then 8 when 'véspera de feriado' then 9 else 10 end as ordem,
        dias,
        valor,
        esperado
    from other_days

)

select
    cast(ordem as integer) as ordem,
    cast(grupo as varchar(40)) as grupo,
    cast(tipo as varchar(40)) as tipo,
    cast(dias as bigint) as dias,
    {{ round_to_cents(quotient('valor', 'dias')) }} as valor_medio_por_dia,
    {{ round_to_cents('esperado') }} as valor_esperado_por_dia,
    {{ growth(quotient('valor', 'dias'), 'esperado') }} as efeito
from kinds
