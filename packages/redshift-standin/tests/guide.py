"""Examples of Redshift's developer guide: each line of guide.csv is a statement and the result that the guide prints.

The columns of guide.csv:

    page       of https://docs.aws.amazon.com/redshift/latest/dg/, without `.html`
    statement  our own wording of the example; statements before the last one prepare it
    result     what the guide prints: a row a line, values separated by `|`, in the protocol's text form, `null` for
               NULL; `error: …` for a documented error. Of a refused statement, what Redshift would answer.
    verdict    `equal`, or `refused`: the stand-in says that it cannot run the statement
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from redshift_standin.sql.statement import read

GUIDE = Path(__file__).with_name("guide.csv")
_AS_SENT = extensions.new_type(tuple(extensions.string_types), "AS_SENT", lambda value, _: value)


@dataclass(frozen=True)
class Example:
    """A statement of the guide, what the guide prints for it, and the verdict on the stand-in."""

    page: str
    statement: str
    result: str
    verdict: str


def read_examples() -> list[Example]:
    """Returns the lines of guide.csv."""
    with GUIDE.open(newline="") as file:
        return [Example(**row) for row in csv.DictReader(file)]


def judge(example: Example, connection: extensions.connection) -> str:
    """Returns `equal`, `refused`, or what the stand-in answers in place of the guide's result.

    Each example has an empty schema of its own.
    """
    run("drop schema if exists guide cascade; create schema guide; set search_path to guide", connection)
    answer = run(example.statement, connection)
    if answer == example.result:
        return "equal"
    return "refused" if answer.startswith("error: stand-in: ") else answer


def run(script: str, connection: extensions.connection) -> str:
    """Returns the result of the last statement of a script, in the form of guide.csv."""
    answer = ""
    with connection.cursor() as cursor:
        extensions.register_type(_AS_SENT, cursor)
        try:
            for statement in (one.source for one in read(script)):
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
                answer = "\n".join("|".join("null" if value is None else value for value in row) for row in rows)
        except psycopg2.Error as error:
            answer = f"error: {error.diag.message_primary or error}"
    return answer
