"""A stand-in for the Hugging Face Hub: as much of its HTTP API as reading a repository uses."""

import contextlib
import http.server
import json
import threading
from urllib.parse import parse_qs, unquote, urlsplit

READER, STRANGER = "hf_reader", "hf_stranger"


class _Hub(http.server.ThreadingHTTPServer):
    """Repositories that all hold the files of one folder: user/{public,private,gated,forbidden}."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.folder = folder
        self.paths = []


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def do_HEAD(self):
        self._serve()

    def do_GET(self):
        self._serve()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(parse_qs(body.decode()))

    def _serve(self, form=None):
        path = unquote(urlsplit(self.path).path)
        self.server.paths.append(path)
        kind, _, rest = path.removeprefix("/").partition("/user/")
        repo, _, rest = rest.partition("/")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", READER, STRANGER):
            return self._refuse(401, "", "Invalid credentials in Authorization header")
        if repo not in ("public", "private", "gated", "forbidden"):
            return self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo == "private" and token != READER:
            return self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        if repo == "forbidden" and token != READER:
            return self._refuse(403, "", "Forbidden: pass a token that may read")
        if kind == "datasets" and repo == "gated" and token != READER:
            return self._refuse(403 if token else 401, "GatedRepo", "Access is restricted")
        action, _, rest = rest.partition("/")
        revision, _, file = rest.partition("/")
        if revision == "none":
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        if kind == "datasets" and action == "resolve":
            return self._send_file(self.server.folder / file)
        if action == "tree":
            return self._send_tree(file)
        if action == "paths-info":
            # What clients before 1.0 ask.
            paths = [self.server.folder / name for name in (form or {}).get("paths", [])]
            return self._answer([self._entry(path) for path in paths if path.exists()])
        if action in ("", "revision"):
            return self._answer({"id": f"user/{repo}", "sha": "0" * 40, "siblings": []})
        self._refuse(404, "EntryNotFound", f"not part of the stand-in: {path}")

    def _send_tree(self, folder):
        path = self.server.folder / folder
        if not path.is_dir():
            return self._refuse(404, "EntryNotFound", "no such folder")
        self._answer([self._entry(one) for one in sorted(path.iterdir())])

    def _entry(self, path):
        return {
            "type": "directory" if path.is_dir() else "file",
            "path": path.relative_to(self.server.folder).as_posix(),
            "size": 0 if path.is_dir() else path.stat().st_size,
            "oid": "1" * 40,
        }

    def _send_file(self, path):
        if not path.is_file():
            return self._refuse(404, "EntryNotFound", "no such file")
        content, status, headers = path.read_bytes(), 200, {}
        if wanted := self.headers.get("Range"):
            start, _, stop = wanted.removeprefix("bytes=").partition("-")
            whole, stop = len(content), int(stop or len(content) - 1)
            content, status = content[int(start) : stop + 1], 206
            headers["Content-Range"] = f"bytes {start}-{stop}/{whole}"
        self._send(content, status, headers)

    def _answer(self, value):
        self._send(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    def _refuse(self, status, code, message):
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._send(json.dumps({"error": message}).encode(), status, headers)

    def _send(self, content, status, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextlib.contextmanager
def serving(folder):
    """Context with a running stand-in."""
    hub = _Hub(folder)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
