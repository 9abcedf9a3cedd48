"""The part of the redshift-serverless API that clients need to sign in: GetCredentials and GetWorkgroup.

JSON over HTTP POST with the operation in the header X-Amz-Target, as in botocore's model of the service.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from redshift_standin.serving import serving
from redshift_standin.signatures import UNSIGNED, AccessKey

WORKGROUP = "sandbox"
USER = "IAMR:sandbox"


@contextmanager
def serve(login: Callable[[str, int], str], host: str, port: int, key: AccessKey, user: str = USER) -> Iterator[str]:
    """Serves the API for the workgroup `sandbox` at `host:port` while entered; yields its URL.

    `login` gets a user and a number of seconds and returns a password. On AWS a role signs in under its own name.
    Here requests that are signed with `key` sign in as `user`. All others are refused: every user of this machine can
    send them.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if key.has_signed("POST", self.path, dict(self.headers), asked):
                operation = self.headers["X-Amz-Target"].rsplit(".", 1)[-1]
                status, answer = answer_request(operation, json.loads(asked or b"{}"))
            else:
                status, answer = 403, {"__type": "AccessDeniedException", "message": UNSIGNED}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Logs nothing."""

    def answer_request(operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked.get("workgroupName") != WORKGROUP:
            message = f"Workgroup {asked.get('workgroupName')} not found"
            return 400, {"__type": "ResourceNotFoundException", "message": message}
        if operation == "GetCredentials":
            seconds = int(asked.get("durationSeconds", 900))
            if not 900 <= seconds <= 3600:
                return 400, {"__type": "ValidationException", "message": "durationSeconds must be 900 to 3600"}
            expires = time.time() + seconds
            return 200, {
                "dbUser": user, "dbPassword": login(user, seconds), "expiration": expires, "nextRefreshTime": expires,
            }  # fmt: skip
        if operation == "GetWorkgroup":
            return 200, {"workgroup": {"workgroupName": WORKGROUP, "endpoint": {"address": host, "port": port}}}
        return 400, {"__type": "UnknownOperationException", "message": f"stand-in: {operation} is not implemented"}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server, "redshift-serverless"):
        yield f"http://127.0.0.1:{server.server_address[1]}"
