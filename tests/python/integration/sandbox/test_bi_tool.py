"""The URL for a BI tool, as the sandbox prints it."""

import re
from contextlib import closing

import psycopg2

from sandbox.__main__ import for_a_bi_tool
from tests.python.helpers.redshift_target import RedshiftTarget


def test_the_url_for_a_bi_tool_connects(redshift: RedshiftTarget) -> None:
    help_text = for_a_bi_tool(redshift.environment)
    assert all(line.startswith("# ") for line in help_text.splitlines())
    found = re.search(r"jdbc:redshift://(.*):(\d+)/(.*?);(.*)", help_text)
    assert found
    said = dict(part.split("=", 1) for part in found[4].split(";"))
    with closing(
        psycopg2.connect(
            host=found[1], port=found[2], dbname=found[3], user=said["UID"], password=said["PWD"],
            sslmode=said["sslmode"], sslrootcert=said["SSLRootCert"],
        )
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("select current_user")
        assert cursor.fetchall() == [("awsuser",)]
