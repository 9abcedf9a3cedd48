"""A server that answers the calls of boto3's JSON services as a test says, for services that moto does not know."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answers:
    """The answers by operation, and the calls that were made: the operation and its parameters of each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, list[Any]] = {}

    def answer(self, operation: str, *answers: dict[str, Any] | tuple[str, str]) -> None:
        """From now on the operation has these answers, the last one forever. A tuple is an error."""
        self._answers[operation] = list(answers)

    def called(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each call of an operation, without the random token that boto3 adds."""
        calls = [parameters for name, parameters in self.calls if name == operation]
        return [{name: value for name, value in call.items() if name != "ClientToken"} for call in calls]

    def respond(self, operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Records a call; returns the status and the body of its answer."""
        self.calls.append((operation, parameters))
        left = self._answers.get(operation) or [("UnknownOperationException", f"{operation}: the test has no answer")]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, tuple):
            code, message = answer
            return 400, {"__type": code, "message": message}
        return 200, answer


@contextmanager
def serve() -> Iterator[Answers]:
    """Runs the server as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].rsplit(".", 1)[-1]
            status, answer = answers.respond(operation, json.loads(body or b"{}"))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers = Answers(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
