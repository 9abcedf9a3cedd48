{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['id', 'd']) }} select * from {{ ref('cadastro') }}
