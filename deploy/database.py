"""The database's set-up: roles, users, schemas and grants, run as the admin through the Redshift Data API."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import DeployError

# The Data API accepts one statement at a time: the first creates a procedure, the second calls it.
CALL = "call public.grant_access()"
POLL_SECONDS = 2.0
NAMES = ("creates the procedure", "calls the procedure")


@dataclass(frozen=True)
class SetUp:
    """What is run, and where: the statement that creates the procedure, as the admin, in a database."""

    procedure: str
    namespace_id: str
    secret_arn: str
    workgroup: str
    database: str

    @property
    def digest(self) -> str:
        """A text that differs if the statement, the namespace or the database does."""
        parts = (self.procedure, self.namespace_id, self.database)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run(client: Any, set_up: SetUp) -> None:
    """Runs the set-up and waits for its end; it can run again.

    Raises:
        DeployError: AWS refused a statement, or it failed; the text has the database's error.
    """
    for name, statement in zip(NAMES, (set_up.procedure, CALL), strict=True):
        try:
            execute(client, set_up, statement)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            raise DeployError(
                f"database {set_up.database}: its roles, users, schemas or grants have changed, and this identity "
                f"may not set them up: {error}. CI may not; a person runs make deploy on this commit"
            ) from error
        except StatementError as error:
            raise DeployError(
                f"database {set_up.database}: the statement that {name} (infra/sql/grant_access.sql) ended as "
                f"{error}. The rest is deployed; fix the cause and run make deploy again"
            ) from error


class StatementError(Exception):
    """A statement that did not finish: its status and its error."""


def execute(client: Any, set_up: SetUp, statement: str) -> None:
    """Runs one statement and waits until it has finished.

    Raises:
        StatementError: it failed or was stopped.
    """
    number = client.execute_statement(
        WorkgroupName=set_up.workgroup, Database=set_up.database, SecretArn=set_up.secret_arn, Sql=statement
    )["Id"]
    while True:
        found = client.describe_statement(Id=number)
        if found["Status"] == "FINISHED":
            return
        if found["Status"] in ("FAILED", "ABORTED"):
            raise StatementError(f"{found['Status']}: {found.get('Error', 'no error was reported')}")
        time.sleep(POLL_SECONDS)
