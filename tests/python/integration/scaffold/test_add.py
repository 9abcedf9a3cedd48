"""`extract add` on tables of every kind: what it writes loads, builds and passes, and every value is the source's."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.python.integration.scaffold.conftest import Team
from tests.python.integration.scaffold.tables import SAME, TABLES, comparable


def check_values(team: Team) -> None:
    for table, (columns, relation, loaded) in SAME.items():
        expected = comparable(team.at_source(f"select {columns} from {relation}"))
        assert comparable(team.loaded(f"select {loaded} from silver.{table}")) == expected, table


@pytest.mark.slow
def test_every_table_of_two_schemas_is_added_and_every_value_is_the_sources(team: Team) -> None:
    team.execute(TABLES)
    team.dbt("parse")
    said = team.extract("add", "postgres", "public.*", "vendas.*")
    assert "postgres.cliente: mode xmin, key id." in said
    assert "postgres.preco_r: mode xmin, key empresa, codigo." in said
    assert "postgres.indice_unico: mode xmin, key c, b." in said
    assert "postgres.sem_chave: mode full, key none." in said
    assert "postgres.resumo: mode full, key none." in said
    assert "pagamento_2024" not in said

    team.extract("run", "--build")
    check_values(team)
    listed = team.extract("list")
    assert (
        "postgres\tvendas_cliente\txmin\tcodigo\tvendas.cliente\tbronze_vendas_cliente\tsilver_vendas_cliente"
        in listed
    )

    team.execute("""
        update cliente set nome = 'Ana Souza', nota = 2.5 where nome = 'Ana';
        delete from vendas.cliente where codigo = 'dois';
        delete from "Preço (R$)" where empresa = 1 and "Código" = 'a';
        insert into "Preço (R$)" values ('c', 3, 3.3, null);
        delete from pagamento where dia = '2024-05-01';
        delete from sem_chave where texto is null;
    """)
    team.extract("run", "--build")
    team.extract("reconcile")
    team.extract("run", "--build")
    check_values(team)
    assert team.loaded("select codigo, excluida_em is null from bronze.vendas_cliente order by 1") == [
        ("dois", False), ("três", True), ("um", True),
    ]  # fmt: skip
    team.lint()


HOSTILE = r"""
create table cliente (
    id integer primary key, "{{ 1 / 0 }}" text, "</script>" text, "x'; drop table cliente; --" text,
    "../$(id)`id`" text
);
insert into cliente values (1, '{{ 1 / 0 }}', '</script>', '; drop table cliente; --', '$(id)');
comment on table cliente is E'{% raw %}\n</script><img src=x onerror=alert(1)>\x1b[31m';
comment on column cliente.id is '{{ 1 / 0 }} {# "';
create table "{{ 1 / 0 }}" (id integer primary key);
create table "token: x" (id integer primary key);
"""


@pytest.mark.slow
def test_names_and_comments_of_the_source_are_no_code(team: Team) -> None:
    team.execute(HOSTILE)
    said = " ".join(team.extract("add", "postgres", "public.*", code=1).split())
    assert 'Table public."{{ 1 / 0 }}": not added: postgres._1_0: relation: expected a plain value, got Jinja' in said
    assert 'Table public."token: x": not added: postgres.token_x: relation: found a secret' in said
    team.extract("run", "--build")  # dbt evaluates no 1 / 0

    assert comparable(
        team.loaded("select id, _1_0, script, x_drop_table_cliente, id_id from silver.cliente")
    ) == comparable(team.at_source("select * from cliente"))
    page = team.read("target/static_index.html")
    assert "<img src=x" not in page
    assert page.count("</script>") == 1  # dbt's own


ONE = "create table cliente (id integer primary key, nome text, antigo date, saldo integer);"


@pytest.mark.slow
def test_a_second_add_says_what_differs_and_changes_only_what_it_is_asked_to(team: Team) -> None:
    team.execute(ONE)
    team.extract("add", "postgres", "cliente")
    files = (
        "models/bronze/_raw_postgres__sources.yml",
        "models/bronze/bronze_cliente.sql",
        "models/silver/silver_cliente.sql",
        "models/bronze/_bronze_postgres__models.yml",
        "models/silver/_silver_postgres__models.yml",
    )
    by_hand = team.project / files[1]
    by_hand.write_text("-- ours\n" + by_hand.read_text().replace("nome as varchar", "upper(nome) as varchar"))
    before = [team.read(path) for path in files]
    assert "postgres.cliente: declared already, no difference" in team.extract("add", "postgres", "cliente")

    team.execute("alter table cliente drop antigo, add novo boolean, alter saldo type bigint")
    said = team.extract("add", "postgres", "cliente")
    for line in ("new: novo boolean", "lost: antigo", "changed: saldo from integer to bigint", "--update writes"):
        assert f"postgres.cliente: {line}" in said or line in said
    assert [team.read(path) for path in files] == before

    team.extract("add", "postgres", "cliente", "--update")
    bronze = team.read(files[1])
    assert bronze.startswith("-- ours\n")
    assert "    cast(upper(nome) as varchar(65535)) as nome,\n" in bronze
    assert "    cast(saldo as bigint) as saldo,\n    cast(novo as boolean) as novo,\n    excluida_em,\n" in bronze
    assert "antigo" not in "".join(team.read(path) for path in files)
    team.execute("insert into cliente values (1, 'ana', 2, true)")
    team.extract("run", "--build")
    assert team.loaded("select id, nome, saldo, novo from silver.cliente") == [(1, "ANA", 2, True)]


@pytest.mark.slow
def test_names_that_are_taken_are_not_overwritten_and_remove_leaves_nothing(team: Team) -> None:
    team.execute(ONE)
    bare = team.read("dbt_project.yml"), sorted(str(path) for path in (team.project / "models").rglob("*.*"))
    team.extract("add", "postgres", "cliente")
    crm = {
        name.replace("SOURCE_POSTGRES", "CRM"): value
        for name, value in team.environment.items()
        if "SOURCE_P" in name
    }
    team.environment.update(crm)
    assert "source crm: not declared" in team.extract("add", "crm", "cliente", code=2)
    team.extract("add", "crm", "cliente", "--kind", "postgres", "--mode", "full")
    assert "raw_crm" in team.read("models/bronze/bronze_crm_cliente.sql")
    assert "raw_postgres" in team.read("models/bronze/bronze_cliente.sql")
    team.extract("run", "--build")

    assert "expected one of crm.cliente, postgres.cliente" in team.extract("remove", "cliente", code=2)
    own = team.project / "models/silver/silver_nosso.sql"
    own.write_text("select id from {{ ref('silver_crm_cliente') }}\n")
    assert "silver_nosso.sql" in team.extract("remove", "crm.cliente", code=2)
    own.unlink()
    said = team.extract("remove", "crm.cliente", "postgres.cliente")
    assert "removed models/silver/silver_crm_cliente.sql" in said
    assert bare == (
        team.read("dbt_project.yml"),
        sorted(str(path) for path in (team.project / "models").rglob("*.*")),
    )
    team.dbt("parse")


def test_a_parquet_file_is_added(team: Team) -> None:
    file = team.project / "produtos.parquet"
    table = pa.table({"id": [1, 2], "nome": ["a", "b"], "preco": pa.array([1.5, 2.5], pa.float32())})
    pq.write_table(table, file)
    assert "parquet.produtos: mode files, key id." in team.extract("add", "parquet", str(file))
    Path(team.environment["PARQUET_DROP"]).mkdir()
    team.extract("drop", str(file))
    team.extract("run", "--build")
    assert sorted(team.loaded("select id, nome, preco from silver.produtos")) == [(1, "a", 1.5), (2, "b", 2.5)]


def test_what_cannot_be_added_is_said_and_changes_nothing(team: Team) -> None:
    team.execute(
        ONE + "create table outra (x integer); create schema vendas; create table vendas.pedido (n integer);"
    )
    assert "pedido: no such table or view" in team.extract("add", "postgres", "pedido", code=2)
    assert "vendas.pedido" in team.extract("add", "postgres", "pedido", code=2)
    assert "mode xmin needs a key" in team.extract("add", "postgres", "outra", "--mode", "xmin", code=2)
    assert "no column y; it has x" in team.extract("add", "postgres", "outra", "--key", "y", code=2)
    assert "expected one table, got 2" in team.extract("add", "postgres", "cliente", "outra", "--name", "z", code=2)
    assert not (team.project / "models/bronze/_raw_postgres__sources.yml").exists()

    assert "postgres.pedidos: mode full" in team.extract("add", "postgres", "vendas.pedido", "--name", "pedidos")
    assert "postgres.pedidos: declared already, no difference" in team.extract("add", "postgres", "vendas.*")
    assert "--name pedidos: another table has it" in team.extract(
        "add", "postgres", "outra", "--name", "pedidos", code=2
    )
    team.execute('create table "Outra" (x integer)')
    team.extract("add", "postgres", "outra", "--only-raw")
    assert "postgres.outra_2: mode full" in team.extract("add", "postgres", "public.[oO]utra", "--only-raw")
    assert not list((team.project / "models").rglob("*outra*.sql"))
    assert "postgres\toutra_2\tfull\t\tpublic.Outra\t\t" in team.extract("list")
    team.extract("add", "postgres", "outra")
    assert (team.project / "models/silver/silver_outra.sql").exists()

    team.environment["SOURCE_POSTGRES_HOST"] = ""
    assert "SOURCE_POSTGRES_HOST is not set" in team.extract("add", "postgres", "cliente", code=2)


LOGS = """
create table pedido (id integer primary key, criado_em timestamp, atualizado_em timestamptz);
create table visita (id integer primary key, alterado_em timestamp, data_alteracao date, dia date, texto text);
create index on visita (data_alteracao);
create table fila (id integer primary key, lote bigint, texto text);
insert into pedido values (1, now(), now());
insert into visita values (1, now(), '2024-01-01', '2024-01-01', 'x');
insert into fila values (1, 5, 'x');
"""


def test_the_mode_cursor_finds_its_column_or_lists_what_it_could_be(team: Team) -> None:
    team.execute(LOGS)
    said = team.extract("add", "postgres", "pedido", "visita", "--mode", "cursor")
    assert "pedido: mode cursor, key id. Each run reads the rows whose atualizado_em is at most 1 day behind" in said
    declared = team.read("models/bronze/_raw_postgres__sources.yml")
    assert "cursor: atualizado_em, lag: 1 day" in declared
    assert "cursor: data_alteracao, lag: 1 day" in declared

    said = team.extract("add", "postgres", "fila", "--mode", "cursor", code=2)
    assert "mode cursor needs a column that grows with every change; say which: --cursor COLUMN, one of" in said
    assert "id (integer, indexed), lote (bigint)" in said
    assert "--cursor texto: expected one of id" in team.extract(
        "add", "postgres", "fila", "--mode", "cursor", "--cursor", "texto", code=2
    )
    assert "--cursor: expected --mode cursor" in team.extract("add", "postgres", "fila", "--cursor", "lote", code=2)
    assert "fila" not in team.read("models/bronze/_raw_postgres__sources.yml")
    team.extract("add", "postgres", "fila", "--mode", "cursor", "--cursor", "lote")
    assert "cursor: lote, lag: 1000" in team.read("models/bronze/_raw_postgres__sources.yml")
    team.extract("run", "--source", "postgres")
    for table in ("pedido", "visita", "fila"):
        assert team.loaded(f"select count(*) from raw_postgres.{table}") == [(1,)]


def test_nothing_of_the_demo_remains_without_it(team: Team) -> None:
    settings = (team.project / "dbt_project.yml").read_text(encoding="utf-8")
    assert "primeiro_dia" not in settings
    assert "# When a value of a run is unusual" in settings  # the comment of a variable that stays
    files = [path.read_text(encoding="utf-8") for path in (team.project / "macros").rglob("*.sql")]
    defined = {
        ("test_" if kind == "test" else "") + name
        for text in files
        for kind, name in re.findall(r"{%-? *(macro|test) (\w+)", text)
    }
    described = re.findall(
        r"(?m)^  - name: (\w+)", (team.project / "macros" / "_macros.yml").read_text(encoding="utf-8")
    )
    assert sorted(described) == sorted(defined)
    assert sorted(path.stem for path in (team.project / "models").rglob("*.sql")) == [
        "gold_failing_tests", "gold_rows_left_out", "gold_run_baseline", "gold_table_state",
    ]  # fmt: skip
