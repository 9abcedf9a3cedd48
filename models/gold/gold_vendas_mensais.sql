{{ config(materialized='view', bind=false) }}

with sums as (

    select
        {{ first_of_month('data_venda') }} as mes,
        id_categoria,
        sum(quantidade) as quantidade,
        sum(valor) as valor
    from {{ ref('gold_vendas_diarias') }}
    group by 1, 2

),

months as (

    select
        {{ first_of_month('data') }} as mes,
        count(case when dia_util then 1 end) as dias_uteis
    from {{ ref('silver_calendario') }}
    group by 1

),

-- A category without a sale in a month has a row with zeros, from the first to the last month with sales.
dense as (

    select
        mes,
        id_categoria,
        quantidade,
        valor
    from sums

    union all

    select
        months.mes,
        categories.id_categoria,
        0 as quantidade,
        0 as valor
    from months
    cross join (select distinct id_categoria from sums) as categories
    where
        months.mes >= (select min(sums.mes) from sums)
        and months.mes <= (select max(sums.mes) from sums)

),

monthly as (

    select
        mes,
        id_categoria,
        sum(quantidade) as quantidade,
        sum(valor) as valor
    from dense
    group by mes, id_categoria

),

-- The month of an earlier row is compared too, because the calendar, which adds the months without sales, has an end.
compared as (

    select
        mes,
        id_categoria,
        quantidade,
        valor,
        sum(valor) over (partition by mes) as valor_do_mes,
        case
            when lag(mes, 1) over (partition by id_categoria order by mes) = {{ months_before('mes', 1) }}
                then lag(valor, 1) over (partition by id_categoria order by mes)
        end as valor_mes_anterior,
        case
            when lag(mes, 12) over (partition by id_categoria order by mes) = {{ months_before('mes', 12) }}
                then lag(valor, 12) over (partition by id_categoria order by mes)
        end as valor_ano_anterior,
        case
            when lag(mes, 2) over (partition by id_categoria order by mes) = {{ months_before('mes', 2) }}
                then sum(valor) over (
                    partition by id_categoria
                    order by mes
                    rows between 2 preceding and current row
                )
        end as valor_de_3_meses
    from monthly

)

select
    cast(compared.mes as date) as mes,
    cast(compared.id_categoria as integer) as id_categoria,
    cast(categoria.nome_categoria as varchar(400)) as nome_categoria,
    cast(compared.quantidade as bigint) as quantidade,
    cast(compared.valor as numeric(38, 2)) as valor,
    {{ growth('compared.valor', 'compared.valor_mes_anterior') }} as crescimento_mes,
    {{ growth('compared.valor', 'compared.valor_ano_anterior') }} as crescimento_ano,
    {{ ratio('compared.valor', 'compared.valor_do_mes') }} as participacao,
    {{ round_to_cents(quotient('compared.valor_de_3_meses', '3')) }} as media_movel_3_meses,
    cast(months.dias_uteis as integer) as dias_uteis,
    cast(compared.mes < {{ first_of_month(today()) }} as boolean) as mes_completo
from compared
left join months on compared.mes = months.mes
left join {{ ref('silver_categoria') }} as categoria on compared.id_categoria = categoria.id
