"""The dashboard and the alarms name metrics that exist: those of the tasks, and those that AWS documents."""

import json
import re
from collections.abc import Iterator
from typing import Any

from extract.task_log import METRICS
from tests.python.helpers.rendered_infra import SOURCES, Infra

# By namespace and dimension, as the documentation of Step Functions, Redshift Serverless and SQS lists them
OF_AWS = {
    ("AWS/States", "StateMachineArn"): {
        "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionTime",
    },
    ("AWS/Redshift-Serverless", "Workgroup"): {"ComputeSeconds"},
    ("AWS/SQS", "QueueName"): {"ApproximateNumberOfMessagesVisible"},
}  # fmt: skip
KNOWN = OF_AWS | {("vendas", dimension): set(metrics) for dimension, metrics in METRICS.items()}
SEARCH = re.compile(
    r"""SEARCH\('\{"(?P<space>[\w-]+)",(?P<dimension>\w+)\} MetricName="(?P<name>\w+)"', '\w+', \d+\)"""
)


def widgets(infra: Infra) -> list[dict[str, Any]]:
    """Returns the widgets of the dashboard."""
    body = json.loads(infra.resources["aws_cloudwatch_dashboard.this"]["dashboard_body"])
    assert set(body) == {"widgets"}
    return list(body["widgets"])


def metrics_of(widget: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields the namespace, dimension and name of each metric of a widget."""
    ids = {
        part["id"]
        for metric in widget["properties"]["metrics"]
        for part in metric
        if isinstance(part, dict) and "id" in part
    }
    for metric in widget["properties"]["metrics"]:
        words = [part for part in metric if isinstance(part, str)]
        if words:
            space, name, *dimensions = words
            assert len(dimensions) in (0, 2)
            yield space, dimensions[0] if dimensions else "", name
            continue
        (options,) = metric
        if found := SEARCH.fullmatch(options["expression"]):
            yield found["space"], found["dimension"], found["name"]
        else:
            assert set(re.findall(r"\b[a-z]\w*", options["expression"])) <= ids, options


def test_every_metric_of_the_dashboard_is_published(infra: Infra) -> None:
    named = [metric for widget in widgets(infra) for metric in metrics_of(widget)]
    assert [metric for metric in named if metric[2] not in KNOWN[metric[:2]]] == []
    published = {(space, dimension, name) for (space, dimension), names in KNOWN.items() for name in names}
    unseen = {name for space, _, name in published - set(named) if space == "vendas"}
    assert unseen == {"RowsDeleted"}  # it is in ops.extract_runs


def test_every_alarm_watches_a_metric_that_is_published(infra: Infra) -> None:
    alarms = [
        values for address, values in infra.resources.items() if address.startswith("aws_cloudwatch_metric_alarm.")
    ]
    assert len(alarms) == 7 + len(SOURCES)
    for alarm in alarms:
        ((dimension, value),) = alarm["dimensions"].items()
        assert alarm["metric_name"] in KNOWN[alarm["namespace"], dimension]
        assert value in (
            infra.outputs["state_machine_arn"], infra.outputs["workgroup"], "vendas-missed-starts",
            *(source.name for source in SOURCES),
        )  # fmt: skip


def test_the_names_of_the_dashboard_are_those_of_the_deployment(infra: Infra) -> None:
    text = json.dumps(widgets(infra))
    assert infra.outputs["state_machine_arn"] in text
    assert infra.environment("loader")["DEPLOYMENT"] == "vendas"  # the namespace of what the tasks publish


def test_the_widgets_are_as_cloudwatch_documents_them(infra: Infra) -> None:
    places = set()
    for widget in widgets(infra):
        assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
        assert set(widget["properties"]) == {"title", "stat", "period", "metrics", "region", "view"}
        assert widget["x"] + widget["width"] <= 24
        assert widget["properties"]["period"] % 60 == 0
        places.add((widget["x"], widget["y"]))
    assert len(places) == len(widgets(infra)) == 12
