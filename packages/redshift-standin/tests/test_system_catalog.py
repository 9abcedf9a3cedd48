"""The catalogue as clients read it: psql, sqlalchemy-redshift, dbt-redshift's grants, redshift_connector."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redshift_connector

from redshift_standin.postgres import PostgresServer
from stand_in import StandIn

REFLECTION = Path(__file__).with_name("sqlalchemy_reflection.sql").read_text().split("\n;;\n")


@pytest.fixture
def shop(stand_in: StandIn) -> StandIn:
    """A table with keys, distribution, sorting and encodings, and views of each kind."""
    stand_in.execute("create table item (id int)")
    stand_in.execute(
        "create table venda (id int not null encode az64, nome varchar(100) encode lzo default 'x',"
        " valor numeric(18,2), item_id int references item (id), constraint chave primary key (id),"
        " unique (id, nome)) diststyle key distkey(id) compound sortkey (valor, id)"
    )
    stand_in.execute("create view vista as select id, nome from venda")
    stand_in.execute("create view tardia as select id, nome from t.venda with no schema binding")
    stand_in.execute("create materialized view materializada auto refresh yes as select id from venda")
    stand_in.execute("comment on table venda is 'sales'")
    stand_in.execute("comment on column venda.nome is 'name'")
    return stand_in


@pytest.fixture
def psql(shop: StandIn, tmp_path: Path) -> Callable[[str], str]:
    """Runs psql with a command; returns what it prints."""
    program = shutil.which("psql")
    if not program:
        pytest.skip("no psql: install the package postgresql-client")
    server = shop.server

    def run(command: str) -> str:
        done = subprocess.run(
            [program, "-XAtq", "-c", command],
            env={
                "PGHOST": server.host, "PGPORT": str(server.port), "PGDATABASE": "dev", "PGUSER": "awsuser",
                "PGPASSWORD": server.password, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(server.ca_bundle),
                "HOME": str(tmp_path), "PATH": "/usr/bin:/bin",
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (r"\d t.*", ["id|integer||not null|", "nome|character varying(100)|||'x'::character varying"]),
        (r"\d t.venda", ["id|integer||not null|", "valor|numeric(18,2)|||"]),
        (r"\d+ t.venda", ["nome|character varying(100)|||'x'::character varying|extended||name"]),
        (r"\d+ t.vista", ["nome|character varying(100)||||extended|"]),
        (r"\dt t.*", ["t|venda|table|awsuser"]),
        (r"\dv t.*", ["t|materializada|view|awsuser", "t|tardia|view|awsuser", "t|vista|view|awsuser"]),
        (r"\dn", ["t|awsuser"]),
        (r"\l", ["dev|awsuser|UTF8|C|C||libc|"]),
        (r"\dd", []),
        (r"\df t.*", []),
        (r"\df pg_catalog.len", ["pg_catalog|len|integer|text|func"]),
        (r"\du", []),
        (r"\dp t.venda", ["t|venda|table||"]),
        (r"\dT", []),
    ],
)
def test_psql_describes(psql: Callable[[str], str], command: str, lines: list[str]) -> None:
    output = psql(command).splitlines()
    assert [line for line in lines if line not in output] == []


def test_psql_does_not_see_the_stand_ins_own_schemas(psql: Callable[[str], str]) -> None:
    for command in (r"\dn", r"\d", r"\dt *.*", r"\dv *.*", r"\df *.*"):
        assert [line for line in psql(command).splitlines() if line.startswith(("rs|", "rs_"))] == []


def reflected(shop: StandIn, words: str) -> list[tuple[object, ...]]:
    """Returns the rows of the one recorded query that contains these words."""
    [query] = [query for query in REFLECTION if words in query]
    return shop.execute(query)


def test_sqlalchemy_reflects_relations(shop: StandIn) -> None:
    assert "Redshift" in str(reflected(shop, "version()"))
    assert ("t",) in reflected(shop, "nspname NOT LIKE")
    relations = {(row[0], row[2], row[4], row[5], row[7]) for row in reflected(shop, "reldiststyle")}
    assert relations == {
        ("r", "t", "venda", "KEY", "awsuser"),
        ("r", "t", "item", None, "awsuser"),
        ("r", "t", "mv_tbl__materializada__0", "EVEN", "awsuser"),
        *(("v", "t", view, None, "awsuser") for view in ("vista", "tardia", "materializada")),
    }
    assert reflected(shop, "d.description") == [("sales",)]


def test_sqlalchemy_reflects_columns(shop: StandIn) -> None:
    columns = [(row[2], row[3], row[4], row[5], row[6], row[7]) for row in reflected(shop, "attencodingtype")]
    assert columns == [
        ("id", "az64", "integer", True, 2, True),
        ("nome", "lzo", "character varying(100)", False, 0, False),
        ("valor", "none", "numeric(18,2)", False, 1, False),
        ("item_id", "none", "integer", False, 0, False),
    ]


def test_sqlalchemy_reflects_keys(shop: StandIn) -> None:
    assert {(row[2], row[3], tuple(row[4]), row[7]) for row in reflected(shop, "contype")} == {  # type: ignore[arg-type]
        ("p", "chave", (1,), "PRIMARY KEY (id)"),
        ("u", "venda_id_key", (1, 2), "UNIQUE (id, nome)"),
        ("f", "venda_item_id_fkey", (4,), "FOREIGN KEY (item_id) REFERENCES item(id)"),
    }


@pytest.mark.parametrize("name", ['"t"."mv_tbl__materializada__0"', "mv_tbl__materializada__0"])
def test_sqlalchemy_finds_the_data_of_a_materialised_view(shop: StandIn, name: str) -> None:
    columns = "select attname from pg_attribute where attrelid = '{}'::regclass::oid and attnum > 0"
    assert shop.execute(columns.format(name)) == [("id",)]
    with pytest.raises(psycopg2.errors.UndefinedTable):
        shop.execute("select 't.mv_tbl__venda__0'::regclass")


def test_awswrangler_reads_keys_from_their_indexes(shop: StandIn) -> None:
    indexes = "select indexdef from pg_indexes where schemaname = 't' and tablename = 'venda'"
    assert shop.execute(indexes) == [
        ("CREATE UNIQUE INDEX chave ON t.venda USING btree (id)",),
        ("CREATE UNIQUE INDEX venda_id_key ON t.venda USING btree (id, nome)",),
    ]


def test_columns_of_a_late_binding_view_are_shown_once(shop: StandIn) -> None:
    catalogue = "select column_name from information_schema.columns where table_name = '{}' order by 1"
    assert shop.execute(catalogue.format("vista")) == [("id",), ("nome",)]
    assert shop.execute(catalogue.format("tardia")) == []
    attributes = "select count(*) from pg_attribute where attrelid = 't.{}'::regclass and attnum > 0"
    assert shop.execute(attributes.format("vista")) == [(2,)]
    assert shop.execute(attributes.format("tardia")) == [(0,)]
    late = "select col_name, col_type from pg_get_late_binding_view_cols() cols(view_schema name, view_name name, "
    assert shop.execute(late + "col_name name, col_type varchar, n int) where view_schema = 't' order by n") == [
        ("id", "integer"),
        ("nome", "character varying(100)"),
    ]


def test_a_materialised_view_is_recognised_by_its_definition(shop: StandIn) -> None:
    [(definition,)] = shop.execute("select definition from pg_views where viewname = 'materializada'")
    assert definition.startswith("create materialized view")
    assert shop.execute("select autorefresh from svv_mv_info where name = 'materializada'") == [("t",)]


@pytest.fixture
def people(shop: StandIn) -> Iterator[StandIn]:
    """The user ana, who is a member of the role leitor, and the group analistas."""
    shop.execute("create user ana password disable; create role leitor; create group analistas")
    shop.execute("grant role leitor to ana")
    yield shop
    shop.execute("drop schema t cascade")
    shop.execute("drop user ana; drop role leitor; drop group analistas")


def test_grants_are_shown_as_they_were_made(people: StandIn) -> None:
    people.execute("grant select on t.venda to role leitor")
    people.execute("grant insert, select on t.venda to group analistas, ana")
    people.execute("revoke insert on t.venda from group analistas")
    expected = [
        ("ana", "user", "INSERT"), ("ana", "user", "SELECT"), ("analistas", "group", "SELECT"),
        ("leitor", "role", "SELECT"),
    ]  # fmt: skip
    grants = "select identity_name, identity_type, privilege_type from svv_relation_privileges"
    assert (
        people.execute(f"{grants} where namespace_name = 't' and relation_name = 'venda' order by 1, 2, 3")
        == expected
    )
    with people.connection.cursor() as cursor:
        cursor.execute('show grants on table "dev"."t"."venda"')
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    assert sorted((row["identity_name"], row["identity_type"], row["privilege_type"]) for row in rows) == expected


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("has_table_privilege('ana', '\"dev\".\"t\".\"venda\"', 'select')", True),  # by her role
        ("has_table_privilege('ana', 't.venda', 'insert')", False),
        ("has_table_privilege('ana', 't.vista', 'select')", False),
        ("has_table_privilege('ana', 'svv_table_info', 'SELECT')", True),
        ("has_table_privilege('t.venda', 'delete')", True),  # the admin's own
        ("has_schema_privilege('ana', 't', 'usage')", False),
        ("has_schema_privilege('t', 'create')", True),
    ],
)
def test_privileges_are_those_granted(people: StandIn, question: str, answer: bool) -> None:  # noqa: FBT001
    people.execute("grant select on t.venda to role leitor")
    assert people.execute(f"select {question}") == [(answer,)]


def test_redshift_connector_reads_metadata(
    shop: StandIn, connect_like_dbt: Callable[..., redshift_connector.Connection], redshift_postgres: PostgresServer
) -> None:
    assert shop.execute("select current_schema()") == [("t",)]
    with closing(redshift_postgres.connect("dev")) as connection, connection, connection.cursor() as own:
        own.execute("create procedure t.anotar(a int) as $$ begin null; end $$ language plpgsql")
    cursor = connect_like_dbt().cursor()
    tables = cursor.get_tables(schema_pattern="t")
    assert [row[2] for row in tables if row[3] == "TABLE"] == ["item", "mv_tbl__materializada__0", "venda"]
    columns = cursor.get_columns(schema_pattern="t", tablename_pattern="tardia")
    assert [row[3] for row in columns] == ["id", "nome"]
    assert ("t", "venda", "valor") in {tuple(row[1:4]) for row in cursor.get_columns()}
    assert [row[2] for row in cursor.get_procedures(schema_pattern="t")] == ["anotar"]
    assert len(cursor.get_procedures()) > 100
    assert [row[0] for row in cursor.get_schemas(schema_pattern="t")] == ["t"]
    assert list(cursor.get_catalogs()) == [["dev"]]
