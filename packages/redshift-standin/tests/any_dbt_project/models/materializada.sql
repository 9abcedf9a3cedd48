{{ config(materialized='materialized_view', auto_refresh=true, dist='all') }} select id, nome from {{ ref('tabela') }}
