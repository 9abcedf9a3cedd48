{{ config(materialized='view') }} select * from {{ ref('cadastro') }} qualify row_number() over (order by id desc) = 1
