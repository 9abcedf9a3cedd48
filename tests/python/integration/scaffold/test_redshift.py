"""The same tables on the stand-in for Redshift."""

from pathlib import Path

import pytest

from redshift_standin.postgres import PostgresServer
from tests.python.helpers.redshift_target import RedshiftTarget, redshift_up
from tests.python.integration.scaffold.conftest import Team
from tests.python.integration.scaffold.tables import SAME, TABLES, comparable


def check_values(team: Team, redshift: RedshiftTarget) -> None:
    for table, (columns, relation, loaded) in SAME.items():
        expected = comparable(team.at_source(f"select {columns} from {relation}"))
        found = redshift.execute(f"select {loaded} from silver.{table}")
        if table == "cliente":  # clients receive VARBYTE as hexadecimal text
            foto = [row[10] and memoryview(bytes.fromhex(str(row[10]).removeprefix("\\x"))) for row in found]
            found = [(*row[:10], value, *row[11:]) for row, value in zip(found, foto, strict=True)]
        assert comparable(found) == expected, table


@pytest.mark.slow
def test_every_value_is_the_sources_on_redshift_too(
    team: Team, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    team.execute(TABLES)
    with redshift_up(postgres_server, tmp_path / "redshift") as redshift:
        team.environment.update(redshift.environment | {"DBT_TARGET": "prod"})
        team.extract("add", "postgres", "public.*", "vendas.*")
        team.extract("run", "--build")
        check_values(team, redshift)

        team.execute("""
            update cliente set nome = 'Ana Souza', nota = 2.5 where nome = 'Ana';
            delete from vendas.cliente where codigo = 'dois';
            delete from "Preço (R$)" where empresa = 1 and "Código" = 'a';
            delete from sem_chave where texto is null;
        """)
        team.extract("run", "--build")
        team.extract("reconcile")
        team.extract("run", "--build")
        check_values(team, redshift)
        assert redshift.execute("select codigo from bronze.vendas_cliente where excluida_em is not null") == [
            ("dois",)
        ]
