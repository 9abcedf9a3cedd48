"""`python -m redshift_standin`: the stand-in without the project that it comes with."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path

import psycopg2
import pytest

PASSWORD = "it's p@ss"  # noqa: S105  of a stand-in that lives as long as its test
MAKE_TABLE = "create table if not exists kept (n integer) diststyle all"


@contextmanager
def stand_in(folder: Path, *options: str, **settings: str) -> Iterator[tuple[dict[str, str], str]]:
    """Runs the command while entered; yields the variables that it prints, and all of its lines."""
    command = [sys.executable, "-m", "redshift_standin", "--port", "0", "--folder", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | settings) as process:
        try:
            lines = list(takewhile(lambda line: not line.startswith("# The stand-in is up"), process.stdout or ()))
            words = [word for line in lines if line.startswith("export ") for word in shlex.split(line)[1:]]
            yield dict(word.split("=", 1) for word in words), "".join(lines)
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@contextmanager
def connected(variables: dict[str, str]) -> Iterator[psycopg2.extensions.cursor]:
    """Connects as libpq does with these variables."""
    words = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
    with closing(psycopg2.connect(**{word: variables[name] for word, name in words.items()})) as connection:
        connection.autocommit = True
        yield connection.cursor()


def test_it_prints_how_to_connect_and_keeps_its_data(tmp_path: Path) -> None:
    names = ("--database", "vendas", "--user", "Ana B")
    with (
        stand_in(tmp_path, *names, REDSHIFT_PASSWORD=PASSWORD) as (variables, text),
        connected(variables) as first,
    ):
        first.execute("select current_database(), current_user")
        assert first.fetchall() == [("vendas", "Ana B")]
        assert "redshift+psycopg2://Ana%20B:it%27s%20p%40ss@localhost:" in text
        first.execute(MAKE_TABLE)
    with stand_in(tmp_path, *names) as (variables, _), connected(variables) as again:
        again.execute("select count(*) from kept")
        assert again.fetchall() == [(0,)]
        assert variables["PGPASSWORD"] != PASSWORD


def test_only_its_roles_may_copy(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/team/loader"
    copy = "copy kept from 's3://bucket/rows' iam_role '{}' format parquet"
    with (
        stand_in(tmp_path, "--copy-role", role, AWS_ENDPOINT_URL_S3="") as (variables, _),
        connected(variables) as cursor,
    ):
        cursor.execute(MAKE_TABLE)
        with pytest.raises(psycopg2.Error, match="Not authorized to get credentials of role"):
            cursor.execute(copy.format("arn:aws:iam::123456789012:role/copy"))
        with pytest.raises(
            psycopg2.Error, match="COPY and UNLOAD need an S3 server; start the stand-in with AWS_ENDPOINT_URL_S3"
        ):
            cursor.execute(copy.format(role))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "redshift_standin", "--port", port, "--folder", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == (
        f"redshift_standin: port {port} of this machine: Address already in use; choose another one, or 0\n"
    )
