"""A stand-in of Amazon Redshift: its protocol and SQL for unmodified clients, on a PostgreSQL server.

It executes the clients' path; it does not prove that a statement is right on Redshift.
docs/design/redshift-stand-in.md lists what it does, refuses and cannot mimic.

    client ── TLS ── server/ ── sql/ ── PostgreSQL with the scripts of catalog/
                        └────── copy/ ── S3
"""
