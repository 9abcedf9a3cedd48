{{ config(materialized='table') }} select listagg(nome, '+') within group (order by id) as nomes from {{ ref('tabela') }}
