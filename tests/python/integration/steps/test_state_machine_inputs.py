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
        ('{"sources": ["api", "postgres", "api"]}', [API, POSTGRES, BUILD]),
        ('{"full_refresh": true}', [API, PARQUET, POSTGRES, ("build", "--full-refresh")]),
        ('{"sources": ["api"], "full_refresh": false}', [API, BUILD]),
        (FAN_OUT, [PLAN, *RANGES, API, PARQUET, POSTGRES, BUILD]),
        ('{"sources": ["postgres"], ' + FAN_OUT[1:], [PLAN, *RANGES, POSTGRES, BUILD]),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": "2026-01-01", "to": "2026-01-31"}}',
            [("backfill", *TABLE, "--from", "2026-01-01", "--to", "2026-01-31"), BUILD],
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
            'expected {} or an object with sources, full_refresh, fan_out or backfill, got {"source"',
        ),
        ("[]", "expected {} or an object"),
        ('"postgres"', "expected {} or an object"),
        ('{"sources": []}', "sources: expected a list of declared sources (api, parquet, postgres), got []"),
        ('{"sources": "api"}', "sources: expected a list"),
        (
            '{"sources": ["api", "ftp"]}',
            'sources: expected a list of declared sources (api, parquet, postgres), got ["api","ftp"]',
        ),
        ('{"sources": null}', "sources: expected a list"),
        ('{"full_refresh": "yes"}', "full_refresh: expected true or false, got yes"),
        ('{"backfill": "venda"}', "backfill: expected the strings source, table, from and to, got venda"),
        ('{"backfill": {"source": "postgres"}}', "backfill: expected the strings source, table, from and to"),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": "--debug", "to": "2026-01-31"}}',
            "backfill: expected the strings",
        ),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": 1, "to": "2026-01-31"}}',
            "backfill: expected the strings",
        ),
        (
            '{"backfill": {"source": "ftp", "table": "a", "from": "1", "to": "2"}}',
            "backfill: source: expected a declared one (api, parquet, postgres), got ftp",
        ),
        (
            '{"fan_out": "venda"}',
            "fan_out: expected source, a declared one (api, parquet, postgres), table, a name in lowercase letters, "
            "and ranges, a whole number from 2 to",
        ),
        ('{"fan_out": {"table": "venda", "ranges": 3}}', "fan_out: expected source, a declared one"),
        ('{"fan_out": {"source": "ftp", "table": "venda", "ranges": 3}}', "fan_out: expected source, a declared one"),
        ('{"fan_out": {"source": "postgres", "table": "--debug", "ranges": 3}}', "fan_out: expected source"),
        ('{"fan_out": {"source": "postgres", "table": "venda", "ranges": 201}}', "fan_out: expected source"),
        ('{"fan_out": {"source": "postgres", "table": "venda", "ranges": 2.5}}', "fan_out: expected source"),
        ('{"sources": ["api"], ' + FAN_OUT[1:], 'fan_out: expected postgres among the sources, got ["api"]'),
        (
            '{"backfill": {"source": "api", "table": "a", "from": "1", "to": "2"}, ' + FAN_OUT[1:],
            "backfill: cannot be combined with sources, full_refresh or fan_out",
        ),
        (
            '{"sources": ["api"], "backfill": {"source": "api", "table": "a", "from": "1", "to": "2"}}',
            "backfill: cannot be combined",
        ),
    ],
)
def test_an_invalid_input_starts_nothing_and_reports_what_was_expected(
    instant: Machine, given: str, expected: str
) -> None:
    ended = instant.run(given, name=uuid4().hex)
    assert (ended.status, ended.error, ended.commands) == ("FAILED", "BadInput", [])
    assert expected in ended.cause
    assert expected in ended.messages[0]["Message"]
