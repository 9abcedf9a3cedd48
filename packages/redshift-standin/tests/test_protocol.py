"""The versions of Redshift's protocol, with its clients and message by message."""

import datetime
import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import redshift_connector
from hypothesis import given
from hypothesis import strategies as st
from redshift_connector.interval import IntervalDayToSecond, IntervalYearToMonth

from redshift_standin.server.results import numeric_as_integer
from stand_in import StandIn

Connect = Callable[..., redshift_connector.Connection]
VERSIONS = (0, 1, 2)


class Client:
    """A client that sends single messages."""

    def __init__(self, stand_in: StandIn, **options: str) -> None:
        plain = socket.create_connection(("localhost", stand_in.server.port), timeout=30)
        plain.sendall(struct.pack("!ii", 8, 80877103))
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(stand_in.server.ca_bundle))
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._file = self._socket.makefile("rb")
        words = {"user": "awsuser", "database": "dev"} | options
        packet = b"".join(f"{key}\0{value}\0".encode() for key, value in words.items()) + b"\0"
        self._socket.sendall(struct.pack("!ii", len(packet) + 8, 196608) + packet)
        assert self.answer()[0] == b"R"
        self.send(b"p", stand_in.server.password.encode() + b"\0")
        self.welcome = list(self.answers())

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Sends a message."""
        self._socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def answer(self) -> tuple[bytes, bytes]:
        """Returns the kind and the body of the next message."""
        kind, length = struct.unpack("!ci", self._file.read(5))
        return kind, self._file.read(length - 4)

    def has_answer(self) -> bool:
        """Returns whether a message comes soon."""
        return bool(select.select([self._socket], [], [], 0.1)[0])

    def answers(self) -> Iterator[tuple[bytes, bytes]]:
        """The messages up to ReadyForQuery."""
        while (answer := self.answer())[0] != b"Z":
            yield answer

    def run(self, sql: str, *, rows: int = 0) -> list[bytes]:
        """Runs a statement that is described as a portal; returns the kinds of the answers."""
        self.send(b"P", b"\0" + sql.encode() + b"\0\0\0")
        self.send(b"B", b"\0\0" + bytes(6))
        self.send(b"D", b"P\0")
        self.send(b"E", b"\0" + struct.pack("!i", rows))
        self.send(b"E", b"\0" + bytes(4))
        self.send(b"S")
        return [kind for kind, _ in self.answers()]

    def close(self) -> None:
        """Closes the connection."""
        self._file.close()
        self._socket.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_gets_the_version_that_it_asks_for(connect_like_dbt: Connect, version: int) -> None:
    assert connect_like_dbt(client_protocol_version=version)._client_protocol_version == version


@pytest.mark.parametrize("asked", ["3", "17", ""])
def test_another_version_becomes_one_that_redshift_has(stand_in: StandIn, asked: str) -> None:
    with closing(Client(stand_in, client_protocol_version=asked)) as client:
        expected = b"2" if asked else b"0"
        assert (b"S", b"server_protocol_version\0" + expected + b"\0") in client.welcome


@pytest.mark.parametrize("version", VERSIONS)
def test_values_are_the_same_in_every_version(stand_in: StandIn, connect_like_dbt: Connect, version: int) -> None:
    stand_in.execute(
        "create table v (a numeric(9,2), b numeric(38,10), c date, d time, e timetz, f intervaly2m, g intervald2s,"
        " h varchar(9), i char(3), j real, k super)"
    )
    stand_in.execute(
        "insert into v values (-1.05, 12345678901234567890.5, '2024-02-29', '24:00:00', '22:30:00-04', '1-1',"
        " '-2 days 12:00:00', 'ç', 'a', 0.5, null), (null, 0, '1900-01-01', '01:02:03.5', '00:00:00+00', '-3 months',"
        " '1 second', '', 'abc', -1, json_parse('1'))"
    )
    cursor = connect_like_dbt(client_protocol_version=version).cursor()
    cursor.execute("select * from t.v order by a nulls last")
    assert cursor.fetchall() == (
        [
            Decimal("-1.05"), Decimal("12345678901234567890.5"), datetime.date(2024, 2, 29), datetime.time(0),
            datetime.time(2, 30, tzinfo=datetime.UTC), IntervalYearToMonth(13), IntervalDayToSecond(-129_600_000_000),
            "ç", "a  ", 0.5, None,
        ],
        [
            None, Decimal(0), datetime.date(1900, 1, 1), datetime.time(1, 2, 3, 500_000),
            datetime.time(0, tzinfo=datetime.UTC), IntervalYearToMonth(-3), IntervalDayToSecond(1_000_000), "",
            "abc", -1, "1",
        ],
    )  # fmt: skip
    assert [column[1] for column in cursor.description] == [
        1700,
        1700,
        1082,
        1083,
        1266,
        1188,
        1190,
        1043,
        1042,
        700,
        4000,
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_intervals_as_parameters(stand_in: StandIn, connect_like_dbt: Connect, version: int) -> None:
    stand_in.execute("create table v (f intervaly2m, g intervald2s)")
    cursor = connect_like_dbt(client_protocol_version=version).cursor()
    rows = [
        [IntervalYearToMonth(-(2**31)), IntervalDayToSecond(-(2**63))],
        [IntervalYearToMonth(5), IntervalDayToSecond(7)],
    ]
    cursor.executemany("insert into t.v values (%s, %s)", rows)
    cursor.execute("select * from t.v order by f")
    assert list(cursor.fetchall()) == rows


@pytest.mark.parametrize(("version", "seen"), [(0, "é"), (1, "é"), (2, "é")])
def test_redshift_connector_decodes_varbyte(connect_like_dbt: Connect, version: int, seen: str) -> None:
    cursor = connect_like_dbt(client_protocol_version=version).cursor()
    cursor.execute("select 'é'::varbyte")
    assert cursor.fetchall() == ([seen],)


def test_varbyte_is_plain_hex_for_clients_of_postgresql(stand_in: StandIn) -> None:
    assert stand_in.execute("select 'abc'::varbyte, null::varbyte, 1") == [("616263", None, 1)]


def test_a_numeric_expression_has_the_scale_of_its_values(stand_in: StandIn, connect_like_dbt: Connect) -> None:
    stand_in.execute("create table n (x numeric(5,2), y bigint)")
    stand_in.execute("insert into n values (1.25, 1), (2.50, 2)")
    cursor = connect_like_dbt().cursor()
    cursor.execute("select sum(x), max(y) * 1.5, sum(x) -- the sums\nfrom t.n")
    assert [str(value) for value in cursor.fetchall()[0]] == ["3.75", "3.0", "3.75"]
    cursor.execute("select sum(x) from t.n where y > %s", (1,))
    assert cursor.fetchall() == ([Decimal("2.5")],)
    cursor.execute("select sum(x) from t.n where false")
    assert cursor.fetchall() == ([None],)


def test_an_error_of_a_value_is_that_of_the_statement(connect_like_dbt: Connect) -> None:
    connection = connect_like_dbt()
    connection.autocommit = True
    cursor = connection.cursor()
    with pytest.raises(redshift_connector.ProgrammingError, match="22012"):
        cursor.execute("select 1.5 / 0")
    cursor.execute("select 1.5")
    assert cursor.fetchall() == ([Decimal("1.5")],)


@given(st.decimals(-(10**17), 10**17, places=6, allow_nan=False))
def test_a_numeric_becomes_an_integer(value: Decimal) -> None:
    sign, digits, _ = value.as_tuple()
    number = int("".join(map(str, digits)))  # with six places
    groups: list[int] = []
    rest = number * 100  # eight places are two groups of four
    while rest:
        rest, group = divmod(rest, 10_000)
        groups.insert(0, group)
    encoded = struct.pack("!hhHH", len(groups), len(groups) - 3, 0x4000 if sign else 0, 6)
    encoded += struct.pack(f"!{len(groups)}h", *groups)
    assert int.from_bytes(numeric_as_integer(encoded, 6, 16), "big", signed=True) == number * (-1 if sign else 1)


@pytest.mark.parametrize("version", (1, 2))
def test_columns_have_their_places(stand_in: StandIn, connect_like_dbt: Connect, version: int) -> None:
    stand_in.execute("create table p (i int identity(1,1), x varchar(5) not null, y date)")
    cursor = connect_like_dbt(client_protocol_version=version).cursor()
    cursor.execute("select y, upper(x) as u, x, i as other from t.p")
    keys = ("label", "schema_name", "table_name", "column_name", "catalog_name", "nullable", "autoincrement")
    assert [tuple(column[key] for key in keys) for column in cursor.ps["row_desc"]] == [
        (b"y", b"t", b"p", b"y", b"dev", 1, 0),
        (b"u", b"", b"", b"", b"", 1, 0),
        (b"x", b"t", b"p", b"x", b"dev", 0, 0),
        (b"other", b"t", b"p", b"i", b"dev", 0, 1),
    ]


def test_columns_of_a_table_of_this_transaction_have_their_places(connect_like_dbt: Connect) -> None:
    cursor = connect_like_dbt().cursor()
    cursor.execute("create temp table fresh (a int)")
    cursor.execute("select a from fresh")
    assert cursor.ps["row_desc"][0]["table_name"] == b"fresh"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_portal_gives_as_many_rows_as_asked_for(stand_in: StandIn, version: int) -> None:
    stand_in.execute("create table r (x numeric(9,2))")
    stand_in.execute("insert into r values (1), (2), (3)")
    with closing(Client(stand_in, client_protocol_version=str(version))) as client:
        assert b"".join(client.run("select x from t.r", rows=2)) == b"12TDDsDC"
        assert b"".join(client.run("select x + 1 from t.r where x > 1", rows=1)) == b"12TDsDC"
        assert b"".join(client.run("create table t.other (x int)")) in (b"12nCE", b"12nC")
        assert b"".join(client.run("select nothing")) == b"E"
        assert b"".join(client.run("select 1", rows=5)) == b"12TDCC"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unnamed_statement_reads_a_late_binding_view(stand_in: StandIn, version: int) -> None:
    stand_in.execute("create table first as select 1 as x")
    stand_in.execute("create view late as select x from t.first with no schema binding")
    with closing(Client(stand_in, client_protocol_version=str(version))) as client:
        assert b"".join(client.run("select x from t.late")) == b"12TDCC"
        stand_in.execute("drop table first")
        stand_in.execute("create table first as select 'a' as x union all select 'b'")
        assert b"".join(client.run("select x from t.late")) == b"12TDDCC"
        assert b"".join(client.run("select nothing from t.late")) == b"E"


def test_a_simple_query_of_version_2_has_texts(stand_in: StandIn) -> None:
    with closing(Client(stand_in, client_protocol_version="2")) as client:
        client.send(b"Q", b"select 1.50, 'a'; select 2\0")
        kinds, bodies = zip(*client.answers(), strict=True)
        assert b"".join(kinds) == b"TDCTDC"
        assert b"1.50" in bodies[1]


def test_a_statement_is_cancelled(stand_in: StandIn) -> None:
    stand_in.execute("create table many as select 1 as x")
    for _ in range(13):
        stand_in.execute("insert into many select x + 1 from many")
    with closing(Client(stand_in)) as client:
        client.send(b"Q", b"select count(*) from t.many a, t.many b, t.many c where a.x + b.x = c.x - a.x * b.x\0")
        [key] = [body for kind, body in client.welcome if kind == b"K"]
        while not client.has_answer():  # a request that comes before the statement begins has no effect
            with socket.create_connection(("localhost", stand_in.server.port), timeout=30) as other:
                other.sendall(struct.pack("!ii", 8 + len(key), 80877102) + key)
                assert other.recv(1) == b""
        *_, (kind, body) = client.answers()
        assert (kind, b"C57014\0" in body) == (b"E", True)


def test_parameters_that_are_not_used(connect_like_dbt: Connect) -> None:
    cursor = connect_like_dbt().cursor()
    cursor.execute("select %s", "hello")
    assert cursor.fetchall() == (["h"],)


def test_connections_are_logged(stand_in: StandIn, connect_like_dbt: Connect) -> None:
    connect_like_dbt(application_name="the protocol's tests")
    with pytest.raises(redshift_connector.Error):
        connect_like_dbt(application_name="the wrong password", password="wrong")  # noqa: S106
    log = "select event, user_name, database_name, plugin_name, protocol_version from sys_connection_log where "
    events = ("authenticated", "initiating session")
    seen = stand_in.execute(log + "application_name = 'the protocol''s tests' order by record_time limit 2")
    assert seen == [(event, "awsuser", "dev", "none", 2) for event in events]
    seen = stand_in.execute(log + "application_name = 'the wrong password'")
    assert [event for event, *_ in seen] == ["authentication failure"]
    own = "select distinct left(driver_version, 22) from stl_connection_log where protocol_version = 2"
    assert ("Redshift Python Driver",) in stand_in.execute(own)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("a bit", 'Column "w.a" has unsupported type "bit".'),
        ("a bit varying", 'Column "w.a" has unsupported type "bit varying".'),
        ("a interval", 'Column "w.a" has unsupported type "interval".'),
        ('"A" json', 'Column "w.a" has unsupported type "json".'),
        ("a geometry", "stand-in: the type geometry is not implemented"),
    ],
)
def test_unsupported_types_name_the_column(stand_in: StandIn, column: str, message: str) -> None:
    with pytest.raises(psycopg2.errors.FeatureNotSupported) as refused:
        stand_in.execute(f"create table t.w (b int, {column})")
    assert message in str(refused.value)


def test_a_password_that_redshift_hashes_with_sha256(stand_in: StandIn, connect_like_dbt: Connect) -> None:
    stand_in.execute("drop user if exists hashed")
    stand_in.execute("create user hashed with password 'sha256|MyPassword1'")
    try:
        connect_like_dbt(user="hashed", password="MyPassword1")  # noqa: S106
    finally:
        stand_in.execute("drop user hashed")


def test_functions_of_geometries_are_refused(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="stand-in: function st_geomfromtext is not implemented"):
        stand_in.execute("select ST_GeomFromText('POINT(1 2)')")


def test_roles_of_the_system_are_refused(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="stand-in: a system-defined role is not implemented"):
        stand_in.execute("grant role sys:monitor to awsuser")


def test_psycopg2_sees_the_types_of_intervals(stand_in: StandIn) -> None:
    with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select interval '1' year, '2 days'::intervald2s")
        described: Any = cursor.description
        assert [column.type_code for column in described] == [1188, 1190]
