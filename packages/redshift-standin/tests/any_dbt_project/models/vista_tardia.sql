{{ config(materialized='view', bind=false) }} select * from {{ ref('cadastro') }}
