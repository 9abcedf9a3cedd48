{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='d', batch_size='day', begin='2026-11-21') }}
select id, d from {{ ref('eventos') }}
