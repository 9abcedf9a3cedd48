-- The only model of gold with names of employees. With the variable `nome_do_funcionario: false` it has none.
{{ config(materialized='view', bind=false) }}

with monthly as (

    select
        {{ first_of_month('data_venda') }} as mes,
        id_funcionario,
        sum(quantidade) as quantidade,
        sum(valor) as valor
    from {{ ref('gold_vendas_diarias') }}
    group by 1, 2

),

ranked as (

    select
        mes,
        id_funcionario,
        quantidade,
        valor,
        sum(valor) over (partition by mes) as valor_do_mes,
        rank() over (partition by mes order by valor desc) as posicao
    from monthly

)

select
    cast(ranked.mes as date) as mes,
    cast(ranked.id_funcionario as integer) as id_funcionario,
    {% if var('nome_do_funcionario') -%}
        cast(funcionario.nome as varchar(400)) as nome,
    {%- else -%}
        cast(null as varchar(400)) as nome,
    {%- endif %}
    cast(ranked.quantidade as bigint) as quantidade,
    cast(ranked.valor as numeric(38, 2)) as valor,
    cast(ranked.posicao as integer) as posicao,
    {{ ratio('ranked.valor', 'ranked.valor_do_mes') }} as participacao,
    {{ growth('ranked.valor', 'month_before.valor') }} as crescimento_mes,
    {{ growth('ranked.valor', 'year_before.valor') }} as crescimento_ano
from ranked
left join monthly as month_before
    on
        {{ months_before('ranked.mes', 1) }} = month_before.mes
        and (
            ranked.id_funcionario = month_before.id_funcionario
            or (ranked.id_funcionario is null and month_before.id_funcionario is null)
        )
left join monthly as year_before
    on
        {{ months_before('ranked.mes', 12) }} = year_before.mes
        and (
            ranked.id_funcionario = year_before.id_funcionario
            or (ranked.id_funcionario is null and year_before.id_funcionario is null)
        )
{% if var('nome_do_funcionario') %}
    left join {{ ref('silver_funcionario') }} as funcionario on ranked.id_funcionario = funcionario.id
{% endif %}
