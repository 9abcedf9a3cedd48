"""An S3 server: moto's, with the objects also kept in a folder, so that a landing outlives the sandbox."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from redshift_standin.serving import serving
from redshift_standin.signatures import UNSIGNED, AccessKey

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LANDING = "landing"
REGION = "us-east-1"


@contextmanager
def serve(folder: Path, key: AccessKey) -> Iterator[str]:
    """Serves S3 to the owner of a key, on a free port of 127.0.0.1, while entered; yields its URL.

    The bucket `landing` contains what it contained when the server last stopped. A sandbox that is killed loses the
    objects that were written since its start. Their loads are in the warehouse, but cannot be replayed.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    # Not moto's own server: that one serves its control API, which needs no signature, and all of AWS.
    app = only_signed(create_backend_app("s3").wsgi_app, key)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    endpoint = f"http://127.0.0.1:{server.port}"
    bucket = boto3.resource(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=key.id, aws_secret_access_key=key.secret
    ).Bucket(LANDING)
    with serving(server, "s3"):
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


def settings(key: AccessKey) -> dict[str, str]:
    """Returns the environment with which clients sign and have a region."""
    return {**key.settings(), "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}


def only_signed(app: "WSGIApplication", key: AccessKey) -> "WSGIApplication":
    """Returns an application that refuses requests which are not signed with the key, and permits no other origin.

    Without the headers of CORS no browser lets the page of another site read an answer.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if not key.has_signed(request.method, environ["REQUEST_URI"], dict(request.headers)):
            error = f"<Error><Code>AccessDenied</Code><Message>{UNSIGNED}</Message></Error>"
            return Response(error, 403, mimetype="application/xml")(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *raised: Any) -> Any:
            kept = [header for header in headers if not header[0].lower().startswith("access-control-")]
            return start_response(status, kept, *raised)

        return app(environ, start)

    return answer
