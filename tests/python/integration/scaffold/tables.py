"""Tables of every kind that a source may have, and what of them must be in the warehouse."""

from datetime import UTC, datetime
from decimal import Decimal

TABLES = """
create schema vendas;
create type situacao as enum ('aberto', 'fechado');
create domain cep as char(8) check (value ~ '^[0-9]{8}$');

create table cliente (
    id uuid primary key, nome varchar(40) not null, "order" integer, situacao situacao, endereco cep, nota real,
    saldo numeric(12, 2), indice numeric, etiquetas text[], busca tsvector, foto bytea, sigla char(4),
    criado_em timestamptz, dados jsonb, hora time, intervalo interval, ativo boolean, nascimento date
);
comment on table cliente is 'Customers: "all" of them, {{ even }} these.';
comment on column cliente.nome is 'The name: as printed on the card.';
insert into cliente values
    ('00000000-0000-0000-0000-00000000000a', 'Ana', 1, 'aberto', '01310100', 3.14, 10.50, 1.2345678901234567890123,
     '{a,"b,c"}', 'gato:1 preto:2', '\\x00ff', 'ab', '2024-02-29 12:00:00+00', '{"a": [1, null]}', '12:34:56',
     '1 day', true, '2000-01-01'),
    ('00000000-0000-0000-0000-00000000000b', 'João', null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null);

create table vendas.cliente (codigo text primary key, desconto double precision);
insert into vendas.cliente values ('um', 0.1), ('dois', 'NaN'), ('três', null);

create table "Preço (R$)" (
    "Código" text not null, empresa integer not null, "Preço Final" numeric(10, 2), excluida_em date,
    primary key (empresa, "Código")
);
insert into "Preço (R$)" values ('a', 1, 1.10, null), ('a', 2, 2.20, '2024-01-01'), ('b', 1, null, null);

create table sem_chave (texto text, numero smallint);
insert into sem_chave values ('x', 1), ('x', 1), (null, null);

create table indice_unico (a integer, b integer not null, c bigint not null);
create unique index on indice_unico (a);
create unique index on indice_unico (b) where a > 0;
create unique index on indice_unico (c, b);
insert into indice_unico values (null, 1, 1), (null, 1, 2);

create table pagamento (id integer not null, dia date not null, valor numeric(8, 2), primary key (id, dia))
    partition by range (dia);
create table pagamento_2024 partition of pagamento for values from ('2024-01-01') to ('2025-01-01');
create table pagamento_2025 partition of pagamento for values from ('2025-01-01') to ('2026-01-01');
insert into pagamento values (1, '2024-05-01', 1.5), (1, '2025-05-01', 2.5);

create view resumo as select empresa, count(*) as quantos from "Preço (R$)" group by empresa;
"""

# What raw, bronze and silver have, beside the source's own text of it.
SAME = {
    "cliente": (
        "id::text, nome, \"order\", situacao::text, endereco::text, nota, saldo, indice::text, etiquetas::text,"
        " busca::text, foto, sigla, criado_em, dados::text, hora::text, intervalo::text, ativo, nascimento",
        "public.cliente",
        "id, nome, \"order\", situacao, endereco, nota, saldo, indice, etiquetas, busca, foto, sigla, criado_em,"
        " dados, hora, intervalo, ativo, nascimento",
    ),
    "vendas_cliente": ("codigo, desconto::text", "vendas.cliente", "codigo, desconto::text"),
    "preco_r": (
        '"Código", empresa, "Preço Final", excluida_em', '"Preço (R$)"',
        "codigo, empresa, preco_final, excluida_em_origem",
    ),
    "sem_chave": ("texto, numero", "sem_chave", "texto, numero"),
    "indice_unico": ("a, b, c", "indice_unico", "a, b, c"),
    "pagamento": ("id, dia, valor", "pagamento", "id, dia, valor"),
    "resumo": ("empresa, quantos", "resumo", "empresa, quantos"),
}  # fmt: skip


def comparable(rows: list[tuple[object, ...]]) -> list[list[str]]:
    """Returns rows that compare equal if their values are the same."""

    def plain(value: object) -> str:
        if isinstance(value, memoryview):
            return repr(bytes(value))
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if isinstance(value, float):
            return f"{value:.6g}"  # the digits of a real
        if isinstance(value, str):
            return repr("NaN" if value == "nan" else value)
        return repr(value.normalize() if isinstance(value, Decimal) else value)

    return sorted([plain(value) for value in row] for row in rows)
