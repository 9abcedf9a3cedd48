select * from {{ ref('bronze_venda') }} where excluida_em is null
