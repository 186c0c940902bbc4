"""A model hub on the loopback interface, as several tests need it."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "hub:acme/small@main"


class LoopbackHub:
    """Answers like a hub: a listing of a revision, and files behind a redirect to another host name."""

    def __init__(self, files):
        self.files = files
        self.requests = []
        self.token = None
        self.redirect = True
        self.listed = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.requests.append((self.headers["Host"], self.path, self.headers.get("Authorization")))
                hub.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, call):
        path = unquote(call.path.partition("?")[0])
        if path == "/api/models/acme/small/revision/main":
            if self.token and call.headers.get("Authorization") != f"Bearer {self.token}":
                self.send(call, 401, b"")
            else:
                self.send(call, 200, json.dumps({"sha": COMMIT, "siblings": self.rows()}).encode())
        elif path.startswith(f"/acme/small/resolve/{COMMIT}/") and self.redirect:
            call.send_response(302)
            call.send_header("Location", f"http://localhost:{self.server.server_port}/cdn{path}")
            call.end_headers()
        elif path.removeprefix("/cdn").startswith(f"/acme/small/resolve/{COMMIT}/"):
            self.send(call, 200, self.files[path.partition(COMMIT + "/")[2]])
        else:
            self.send(call, 404, b"no")

    def rows(self):
        rows = []
        for path, data in self.files.items():
            row = {"rfilename": path, "size": len(data)}
            if path.endswith((".onnx", ".bin")):
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            else:
                row["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            rows.append({**row, **self.listed.get(path, {})})
        return rows

    @staticmethod
    def send(call, status, data):
        call.send_response(status)
        call.send_header("Content-Length", str(len(data)))
        call.end_headers()
        call.wfile.write(data)
