select
    cast(id as bigint) as id,
    cast(nome as varchar(400)) as nome
from {{ ref('bronze_funcionario') }}
