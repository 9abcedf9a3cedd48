{{ config(materialized='table', event_time='d') }} select id, d from {{ ref('cadastro') }}
