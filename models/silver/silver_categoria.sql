select
    cast(id as bigint) as id,
    cast(nome_categoria as varchar(400)) as nome_categoria
from {{ ref('bronze_categoria') }}
