-- A sale is either valid or rejected, never both.
select valid.id_venda
from {{ ref('silver_venda') }} as valid
inner join {{ ref('silver_venda_rejeitada') }} as rejected on valid.id_venda = rejected.id_venda
