"""No output contains a secret, whatever fails, even at the most detailed log level."""

from collections.abc import Callable

import pytest

from tests.python.helpers.world import World

PASSWORD = "s3gr3d0-da-loja'#"  # noqa: S105  made up
KEY = "chave-da-api-9f2c"


def source_is_down(_: World, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("SOURCE_POSTGRES_PORT", "1")
    patch.setenv("EMPLOYEES_API_URL", "http://127.0.0.1:1/x")


def wrong_password(world: World, patch: pytest.MonkeyPatch) -> None:
    world.execute("alter role loja password 'another'")
    patch.setenv("EMPLOYEES_API_TIMEOUT", "0.2")


def no_such_table(world: World, _: pytest.MonkeyPatch) -> None:
    world.execute("drop table public.venda")


def server_that_repeats_the_login(world: World, _: pytest.MonkeyPatch) -> None:
    world.execute(
        "create function public.diz() returns boolean language plpgsql as $$ begin"
        f" raise exception 'connection string: password=%', $a${PASSWORD}$a$; end $$;"
        " alter table public.venda rename to tudo;"
        " create view public.venda as select * from public.tudo where public.diz();"
        " grant select on public.venda to loja"
    )


@pytest.mark.parametrize(
    "fault",
    [
        wrong_password,
        server_that_repeats_the_login,
        pytest.param(source_is_down, marks=pytest.mark.slow),
        pytest.param(no_such_table, marks=pytest.mark.slow),
    ],
)
def test_no_failure_shows_a_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    quoted = PASSWORD.replace("'", "''")
    world.execute(f"create role loja login password '{quoted}'; grant select on public.venda to loja")
    try:
        with monkeypatch.context() as patch:
            patch.setenv("SOURCE_POSTGRES_USER", "loja")
            patch.setenv("SOURCE_POSTGRES_PASSWORD", PASSWORD)
            patch.setenv("EMPLOYEES_API_KEY", KEY)
            fault(world, patch)
            outcomes = [world.main(["--debug", *words]) for words in (["run"], ["reconcile"], ["doctor"])]
    finally:
        world.execute("drop owned by loja; drop role loja")
    for outcome in outcomes[:2]:
        assert outcome.code == 1, outcome.output
    output = "".join(outcome.output for outcome in outcomes)
    assert "Traceback" in output
    assert PASSWORD not in output
    assert KEY not in output
