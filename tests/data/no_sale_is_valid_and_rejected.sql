-- A sale is either valid or rejected, never both.
select id_venda
from {{ ref('silver_venda') }}

intersect

select id_venda
from {{ ref('silver_venda_rejeitada') }}
where id_venda is not null
