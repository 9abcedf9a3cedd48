"""Ways in: temporary credentials where several processes ask for them, and the URL for a BI tool."""

import re
from contextlib import closing

import psycopg2
from stand_in import Redshift

from sandbox.__main__ import for_a_bi_tool


def test_credentials_stay_good_when_others_are_given_out(redshift: Redshift) -> None:
    server = redshift.server
    for password in [server.temporary_login("IAMR:carga") for _ in range(2)]:
        connection = psycopg2.connect(
            host=server.host, port=server.port, dbname="dev", user="IAMR:carga", password=password,
            sslmode="verify-full", sslrootcert=str(server.ca_bundle),
        )  # fmt: skip
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("select current_user")
            assert cursor.fetchall() == [("IAMR:carga",)]


def test_the_url_for_a_bi_tool_leads_in(redshift: Redshift) -> None:
    server = redshift.server
    help_text = for_a_bi_tool(
        {
            "REDSHIFT_HOST": server.host, "REDSHIFT_PORT": str(server.port), "REDSHIFT_DATABASE": "dev",
            "SANDBOX_REDSHIFT_PASSWORD": server.password, "REDSHIFT_CA_BUNDLE": str(server.ca_bundle),
        }
    )  # fmt: skip
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
