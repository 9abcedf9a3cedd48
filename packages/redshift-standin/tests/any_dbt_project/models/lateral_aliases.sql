{{ config(materialized='table') }} select id * 2 as dobro, dobro * 2 as quadruplo from {{ ref('cadastro') }}
