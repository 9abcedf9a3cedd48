{{ config(materialized='table', dist='id', sort=['d', 'id'], backup=false) }} select * from {{ ref('vista_tardia') }}
