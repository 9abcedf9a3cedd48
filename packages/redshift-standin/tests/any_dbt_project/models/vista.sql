{{ config(materialized='view') }} select * from {{ ref('cadastro') }}
