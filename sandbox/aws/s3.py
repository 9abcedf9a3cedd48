"""An S3 server: moto's, with the objects also kept in a folder, so that a landing outlives the sandbox."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

LANDING = "landing"
REGION = "us-east-1"
KEYS = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serves S3 on a free port of 127.0.0.1 while entered; yields its URL.

    The bucket `landing` contains what it contained when the server last stopped. A sandbox that is killed loses the
    objects that were written since its start. Their loads are in the warehouse, but cannot be replayed.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    bucket = boto3.resource(
        "s3", endpoint_url=endpoint, region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    ).Bucket(LANDING)  # fmt: skip
    bucket.create()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            bucket.upload_file(str(file), file.relative_to(folder).as_posix())
    try:
        yield endpoint
    finally:
        for item in bucket.objects.all():
            file = folder / item.key
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                bucket.download_file(item.key, str(file))
        bucket.objects.all().delete()  # all servers of a process share their memory
        server.stop()
