"""The protocol, with the clients of Redshift."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import boto3
import psycopg2
import pytest
import redshift_connector

from redshift_standin.errors import StandInError
from redshift_standin.postgres import PostgresServer
from redshift_standin.server import redshift_serverless, session
from redshift_standin.server.listener import RedshiftServer
from redshift_standin.signatures import AccessKey
from stand_in import ROLE, StandIn

Connect = Callable[..., redshift_connector.Connection]


def sign_in(stand_in: StandIn, **changed: Any) -> psycopg2.extensions.connection:
    """A connection of psycopg2 as the admin, or with changed arguments."""
    server = stand_in.server
    arguments = {
        "host": server.host, "port": server.port, "dbname": "dev", "user": "awsuser", "password": server.password,
        "sslmode": "verify-full", "sslrootcert": str(server.ca_bundle),
    }  # fmt: skip
    return psycopg2.connect(**(arguments | changed))


def test_redshift_connector_speaks_the_extended_protocol(connect_like_dbt: Connect) -> None:
    connection = connect_like_dbt()
    cursor = connection.cursor()
    cursor.execute("select nvl(%s, 7) as x, cast(null as super) as s", (None,))
    assert cursor.fetchall() == ([7, None],)
    assert [column[1] for column in cursor.description][1] == 4000  # redshift_connector's id of SUPER


def test_the_session_is_usable_after_an_error_in_the_extended_protocol(connect_like_dbt: Connect) -> None:
    connection = connect_like_dbt()
    connection.autocommit = True
    cursor = connection.cursor()
    for statement in ("create index i on a (x)", "select nothing"):
        with pytest.raises(redshift_connector.ProgrammingError):
            cursor.execute(statement)
    cursor.execute("select 1")
    assert cursor.fetchall() == ([1],)


def test_copy_in_the_extended_protocol(stand_in: StandIn, connect_like_dbt: Connect) -> None:
    stand_in.execute("create table a (x int)")
    stand_in.bucket.put_object(Key="ext/good.csv", Body=b"1\n2\n")
    stand_in.bucket.put_object(Key="ext/bad.csv", Body=b"1\nx\n")
    copy = f"copy t.a from 's3://{stand_in.bucket.name}/ext/{{}}.csv' iam_role '{ROLE}' csv"
    connection = connect_like_dbt()
    cursor = connection.cursor()
    for _ in range(2):  # the second time it is prepared already
        cursor.execute(copy.format("good"))
    cursor.execute("select count(*) from t.a")
    assert cursor.fetchall() == ([4],)
    with pytest.raises(redshift_connector.ProgrammingError, match="sys_load_error_detail"):
        cursor.execute(copy.format("bad"))
    with pytest.raises(redshift_connector.ProgrammingError, match="current transaction is aborted"):
        cursor.execute("select 1")
    connection.rollback()
    cursor.execute(copy.format("good"))
    connection.commit()
    assert stand_in.execute("select count(*) from a") == [(2,)]
    logged = "select status from sys_query_history where query_type = 'COPY' order by query_id desc limit 4"
    assert stand_in.execute(logged) == [("success",), ("failed",), ("success",), ("success",)]


def test_a_refusal_breaks_the_transaction(stand_in: StandIn) -> None:
    stand_in.execute("create table a (x int)")
    with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("insert into t.a values (1)")
        with pytest.raises(psycopg2.Error):
            cursor.execute("create index i on t.a (x)")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
        connection.rollback()
    assert stand_in.execute("select count(*) from a") == [(0,)]


def test_the_session_goes_on_after_an_internal_error(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise IndexError("nothing there")

    monkeypatch.setattr(session, "translate", fail)
    with pytest.raises(psycopg2.Error, match="stand-in: internal error in this statement"):
        stand_in.execute("select 1")
    monkeypatch.undo()
    assert stand_in.execute(
        "select error_message like '%nothing there%' from sys_query_history"
        " where query_text = 'select 1' order by query_id desc limit 1"
    ) == [(True,)]


def test_a_long_sum_is_computed(stand_in: StandIn) -> None:
    assert stand_in.execute("select " + "+".join(["1"] * 3000)) == [(3000,)]


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("show tables from schema t", ["a"]),
        ("show tables from schema dev.T like 'a%' limit 1", ["a"]),
        ('show tables from schema "dev"."t" like \'b%\'', []),
        ("show columns from table dev.t.a", ["x", "y"]),
        ("show schemas from database dev like 't'", ["t"]),
    ],
)
def test_show_accepts_names_with_and_without_quotes(stand_in: StandIn, statement: str, names: list[str]) -> None:
    stand_in.execute("create table a (x int, y int)")
    place = {"columns": 3, "tables": 2, "schemas": 1}[statement.split()[1]]
    assert [row[place] for row in stand_in.execute(statement)] == names


def test_show_without_a_schema_is_refused(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="stand-in: SHOW TABLES without a schema"):
        stand_in.execute("show tables")


def test_the_server_version_is_redshifts(stand_in: StandIn) -> None:
    assert stand_in.connection.get_parameter_status("server_version") == "8.0.2"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"sslmode": "disable"}, "SSL off"),
        ({"sslrootcert": "system"}, "certificate verify failed"),
    ],
)
def test_sign_in_is_refused(stand_in: StandIn, changed: dict[str, str], message: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match=message):
        sign_in(stand_in, **changed)


def test_every_statement_is_in_the_history_as_it_was_sent(stand_in: StandIn) -> None:
    stand_in.execute("set query_group to 'relatorio'")
    stand_in.execute("select /* quem pergunta */ nvl(1, 2)")
    with pytest.raises(psycopg2.Error):
        stand_in.execute("select nothing_of_that_name")
    stand_in.execute("reset query_group")

    seen = stand_in.execute(
        "select query_text, query_label, status, error_message from sys_query_history order by query_id desc limit 3"
    )
    assert seen[::-1] == [
        ("select /* quem pergunta */ nvl(1, 2)", "relatorio", "success", None),
        ("select nothing_of_that_name", "relatorio", "failed", 'column "nothing_of_that_name" does not exist'),
        ("reset query_group", "relatorio", "success", None),
    ]


def test_the_history_has_each_statement_of_one_string(stand_in: StandIn) -> None:
    script = [
        "begin",
        'create table a (x int) /* {"node": "a"} */',
        "create materialized view m as select x from a",
        "refresh materialized view m",
        "create table b as select 1 as x",
        "insert into a select x from b",
        "commit",
    ]
    stand_in.execute("; ".join(script))
    with pytest.raises(psycopg2.Error):
        stand_in.execute("select 1; select nada; select 2")

    seen = stand_in.execute(
        "select query_text, query_type, status, session_id = pg_backend_pid(), transaction_id"
        " from sys_query_history order by query_id desc limit 9"
    )[::-1]
    types = ["UTILITY", "DDL", "DDL", "DDL", "CTAS", "INSERT", "UTILITY"]
    assert [row[:4] for row in seen] == [
        *((text, kind, "success", True) for text, kind in zip(script, types, strict=True)),
        ("select 1", "SELECT", "success", True),
        ("select nada", "SELECT", "failed", True),
    ]
    assert len({row[4] for row in seen[:7]}) == 1
    assert seen[7][4] > seen[6][4]


def test_the_history_has_each_execution_of_a_prepared_statement(stand_in: StandIn, connect_like_dbt: Connect) -> None:
    connection = connect_like_dbt()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("set query_group to 'dbt'")
    for _ in range(3):
        cursor.execute("select 41 + %s", (1,))
    with pytest.raises(redshift_connector.ProgrammingError):
        cursor.execute("select nada_assim")
    seen = stand_in.execute(
        "select query_text, status from sys_query_history where query_label = 'dbt' and query_type = 'SELECT'"
        " order by query_id desc limit 4"
    )
    assert [status for _, status in seen] == ["failed", "success", "success", "success"]
    assert {text for text, _ in seen} == {"select nada_assim", "select 41 + $1"}


def test_a_database_of_another_version_is_refused(stand_in: StandIn, redshift_postgres: PostgresServer) -> None:
    with closing(redshift_postgres.connect("dev")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select obj_description('rs'::regnamespace, 'pg_namespace')")
        version = cursor.fetchone()
        cursor.execute("comment on schema rs is 'older'")
        try:
            with (
                pytest.raises(StandInError, match="created by another version of it: remove it with `make clean`"),
                RedshiftServer(redshift_postgres, stand_in.server.ca_bundle.parent, "", AccessKey.random()),
            ):
                pass
        finally:
            cursor.execute("comment on schema rs is %s", version)


def test_long_statements_are_split_into_parts(stand_in: StandIn) -> None:
    text = "select '" + "x" * 9000 + "' as longo"
    stand_in.execute(text)
    parts = stand_in.execute(
        "select t.text from sys_query_text t where t.query_id ="
        " (select max(query_id) from sys_query_history where query_text like '%as longo') order by t.sequence"
    )
    assert ([len(part) for (part,) in parts], "".join(part for (part,) in parts)) == ([4000, 4000, 1018], text)


def test_temporary_credentials_sign_in(
    stand_in: StandIn, connect_like_dbt: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = stand_in.server
    key = AccessKey.random()
    with redshift_serverless.serve(server.temporary_login, server.host, server.port, key) as url:
        for name, value in {
            **key.settings(), "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": url, "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        client = boto3.client("redshift-serverless")
        answer = client.get_credentials(workgroupName="sandbox", dbName="dev", durationSeconds=900)
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="Workgroup other not found"):
            client.get_credentials(workgroupName="other", dbName="dev")
        with pytest.raises(client.exceptions.ClientError, match="durationSeconds"):
            client.get_credentials(workgroupName="sandbox", dbName="dev", durationSeconds=1)
        iam = {"iam": True, "user": None, "password": None, "is_serverless": True, "serverless_work_group": "sandbox"}
        connection = connect_like_dbt(**iam, db_user=None, region="us-east-1")
        cursor = connection.cursor()
        cursor.execute("select current_user")
        assert cursor.fetchall() == (["IAMR:sandbox"],)
    assert answer["dbUser"] == "IAMR:sandbox"


def test_an_expired_password_is_refused(stand_in: StandIn) -> None:
    password = stand_in.server.temporary_login("IAMR:ontem", -1)
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        sign_in(stand_in, user="IAMR:ontem", password=password)


def test_a_temporary_password_stays_valid_after_another_is_created(stand_in: StandIn) -> None:
    for password in [stand_in.server.temporary_login("IAMR:carga") for _ in range(2)]:
        with closing(sign_in(stand_in, user="IAMR:carga", password=password)) as admin, admin.cursor() as cursor:
            cursor.execute("select current_user")
            assert cursor.fetchall() == [("IAMR:carga",)]
