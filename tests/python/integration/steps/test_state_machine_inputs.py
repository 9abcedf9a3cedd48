"""What the state machine does for each input. All executions share one interpreter; their tasks succeed at once."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.python.helpers.machine_run import (
    API,
    BUILD,
    FAN_OUT,
    PARQUET,
    PLAN,
    POSTGRES,
    RANGES,
    TABLE,
    Machine,
    machine,
    tasks_of,
)


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The state machine with tasks that succeed at once."""
    with machine(tasks_of("true", tmp_path_factory.mktemp("instant"))) as pipeline:
        yield pipeline


@pytest.mark.parametrize(
    ("given", "commands"),
    [
        ('{"sources": ["postgres"]}', [POSTGRES, BUILD]),
        pytest.param('{"sources": ["api", "postgres", "api"]}', [API, POSTGRES, BUILD], marks=pytest.mark.slow),
        ('{"full_refresh": true}', [API, PARQUET, POSTGRES, ("build", "--full-refresh")]),
        pytest.param('{"sources": ["api"], "full_refresh": false}', [API, BUILD], marks=pytest.mark.slow),
        (FAN_OUT, [PLAN, *RANGES, POSTGRES, BUILD]),
        ('{"commands": [["doctor"]], "build": false}', [("doctor",)]),
        (
            '{"commands": [["backfill", "--source", "postgres", "--table", "venda", "--from", "a b", "--to", "c"]]}',
            [("backfill", *TABLE, "--from", "a b", "--to", "c"), BUILD],
        ),
    ],
)
def test_the_input_selects_the_tasks(instant: Machine, given: str, commands: list[tuple[str, ...]]) -> None:
    ended = instant.run(given, name=uuid4().hex)
    assert (ended.status, ended.commands) == ("SUCCEEDED", commands)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            '{"source": ["postgres"]}',
            'expected {} or an object with sources or commands, and full_refresh or build, got {"source"',
        ),
        ("[]", "expected {} or an object"),
        pytest.param('"postgres"', "expected {} or an object", marks=pytest.mark.slow),
        pytest.param(
            '{"sources": []}',
            "sources: expected a list of declared sources (api, parquet, postgres), got []",
            marks=pytest.mark.slow,
        ),
        ('{"sources": "api"}', "sources: expected a list"),
        (
            '{"sources": ["api", "ftp"]}',
            'sources: expected a list of declared sources (api, parquet, postgres), got ["api","ftp"]',
        ),
        pytest.param('{"sources": null}', "sources: expected a list", marks=pytest.mark.slow),
        ('{"full_refresh": "yes"}', "full_refresh: expected true or false, got yes"),
        pytest.param('{"build": "no"}', "build: expected true or false, got no", marks=pytest.mark.slow),
        pytest.param(
            '{"backfill": "venda"}', "expected {} or an object with sources or commands", marks=pytest.mark.slow
        ),
        (
            '{"commands": "doctor"}',
            "commands: expected a list of lists of words, each starting with one of run, plan",
        ),
        pytest.param(
            '{"commands": [["drop", "a.parquet"]]}',
            "commands: expected a list of lists of words, each starting with",
            marks=pytest.mark.slow,
        ),
        ('{"commands": [["--debug", "run"]]}', "commands: expected a list of lists of words, each starting with"),
        ('{"commands": [["doctor"]], "sources": ["api"]}', "expected either sources or commands, got both"),
    ],
)
def test_an_invalid_input_starts_nothing_and_reports_what_was_expected(
    instant: Machine, given: str, expected: str
) -> None:
    ended = instant.run(given, name=uuid4().hex)
    assert (ended.status, ended.error, ended.commands) == ("FAILED", "BadInput", [])
    assert expected in ended.cause
    message = ended.messages[0]["Message"]
    assert message.startswith("input failed\n  why:    ")
    assert expected in message
    assert "Nothing was built. Silver is as before." in message
