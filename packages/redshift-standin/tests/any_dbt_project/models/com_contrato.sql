{{ config(materialized='table') }} select id::int as id, nome::varchar(20) as nome from {{ ref('cadastro') }}
