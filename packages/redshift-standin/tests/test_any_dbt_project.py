"""Another dbt project on the stand-in, with the unmodified dbt-redshift: it is built, changed and built again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from stand_in import StandIn

PROJECT = Path(__file__).with_name("any_dbt_project")


@pytest.fixture
def users(stand_in: StandIn) -> Iterator[StandIn]:
    """The stand-in with two users to grant to."""
    stand_in.execute("create user leitora password disable; create user outra password disable")
    yield stand_in
    stand_in.execute("drop schema qualquer cascade; drop user leitora; drop user outra")


def dbt(stand_in: StandIn, project: Path, *arguments: str) -> dict[str, str]:
    """Runs dbt in this process, as importing it takes seconds; returns the status of each node by name."""
    environment = {
        "STAND_IN_PORT": str(stand_in.server.port),
        "STAND_IN_PASSWORD": stand_in.server.password,
        "SSL_CERT_FILE": str(stand_in.server.ca_bundle),
        "SSL_CERT_DIR": "",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(project)
        done = dbtRunner().invoke(list(arguments))
    assert done.success, done.exception
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    return {result["unique_id"].split(".")[2]: result["status"] for result in results}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["catalogue", "show"])
def test_everything_is_built_and_built_again(users: StandIn, tmp_path: Path, target: str) -> None:
    project = tmp_path / "projeto"
    shutil.copytree(PROJECT, project)
    # The days of the microbatch end with it, whenever that is.
    window = ("--event-time-start", "2026-11-21", "--event-time-end", "2026-11-24")
    dbt(users, project, "build", "--target", target, *window)
    (project / "seeds" / "cadastro.csv").write_text(
        "id,nome,d\n1,um,2026-11-21\n2,DOIS,2026-11-22\n3,tres,2026-11-23\n"
    )
    statuses = dbt(users, project, "build", "--target", target, "--vars", "{depois: true}", *window)

    assert set(statuses.values()) <= {"success", "pass"}
    for query, answer in {
        "select * from so_o_ultimo": [(3, "tres", "2026-11-23")],
        "select dobro, quadruplo from lateral_aliases order by 1": [(2, 4), (4, 8), (6, 12)],
        "select nomes from lista": [("um+DOIS+tres",)],
        "select id, nome, nova from por_merge order by 1": [(1, "um", 7), (2, "DOIS", 7), (3, "tres", 7)],
        "select count(*) from por_merge_sem_chave": [(5,)],
        "select id, nome from por_delete_insert order by 1": [(1, "um"), (2, "DOIS"), (3, "tres")],
        "select id, nova from por_append order by 1, 2": [(1, "x"), (1, None), (2, "x"), (2, None), (3, "x")],
        "select id from por_dia order by 1": [(1,), (2,), (3,)],
        "select id, nome from materializada order by 1": [(1, "um"), (2, "DOIS"), (3, "tres")],
        "select id, nome, dbt_valid_to is null from historia order by 1, 2": [
            (1, "um", True), (2, "DOIS", True), (2, "dois", False), (3, "tres", True),
        ],
    }.items():  # fmt: skip
        rows = users.execute("set search_path to qualquer; " + query)
        assert [tuple(str(v) if hasattr(v, "year") else v for v in row) for row in rows] == answer, query
    granted = "select identity_name, privilege_type from svv_relation_privileges where relation_name = 'com_grants'"
    assert users.execute(granted) == [("leitora", "SELECT")]
    described = (
        "select description from pg_description where objoid = 'qualquer.com_grants'::regclass order by objsubid"
    )
    assert users.execute(described) == [("It's granted",), ("a key",)]

    dbt(users, project, "docs", "generate", "--target", target)
    catalogue = json.loads((project / "target" / "catalog.json").read_text())["nodes"]
    assert list(catalogue["model.qualquer.vista_tardia"]["columns"]) == ["id", "nome", "d"]
    labels = (
        "select count(*) > 50 from sys_query_history"
        " where query_label = 'qualquer' and query_text like '%\"app\": \"dbt\"%'"
    )
    assert users.execute(labels) == [(True,)]
