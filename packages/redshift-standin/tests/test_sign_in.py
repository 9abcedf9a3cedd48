"""Temporary credentials where several processes ask for them."""

from contextlib import closing

import psycopg2

from redshift_standin.pytest_plugin import Redshift


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
