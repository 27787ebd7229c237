"""A stand-in for the Hugging Face Hub: as much of its HTTP API as an upload of a folder uses."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading


class _Hub(http.server.ThreadingHTTPServer):
    """One repository. `files` is what it holds, file -> bytes."""

    daemon_threads = True

    def __init__(self, refused):
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refused = refused
        self.files, self.created = {}, None
        self.blobs, self.tokens, self.unknown = {}, set(), []


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def do_GET(self):
        if "/tree/main" in self.path:
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in self.server.files.items()
            ]
            self._answer(tree)
        elif self.path.startswith("/api/datasets/user/indomer"):
            self._answer({"id": "user/indomer", "sha": "0" * 40, "siblings": []})
        else:
            self._unknown()

    def do_POST(self):
        body = self._body()
        self.server.tokens.add(self.headers["Authorization"])
        if self.server.refused:
            self._answer({"error": "no"}, 403)
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.created = {key: asked.get(key) for key in ("name", "organization")}
            self.server.created["private"] = asked.get("private") or (
                asked.get("visibility") == "private"
            )
            self._answer({"url": f"{self.server.url}/datasets/user/indomer", "name": asked["name"]})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            self._answer(
                {"files": [self._mode(file["path"]) for file in json.loads(body)["files"]]}
            )
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [self._upload(one) for one in json.loads(body)["objects"]]
            self._answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self._commit([json.loads(line) for line in body.splitlines()])
        else:
            self._unknown()

    def do_PUT(self):
        content = self._body()
        oid = self.path.rsplit("/", 1)[-1]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.blobs[oid] = content
        self._answer({})

    def _mode(self, path):
        mode = "lfs" if path.endswith((".parquet", ".png")) else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": None}

    def _upload(self, one):
        href = f"{self.server.url}/blobs/{one['oid']}"
        return {**one, "authenticated": True, "actions": {"upload": {"href": href, "header": {}}}}

    def _commit(self, lines):
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.server.files[value["path"]]
        url = f"{self.server.url}/datasets/user/indomer/commit/{'1' * 40}"
        self._answer({"success": True, "commitUrl": url, "commitOid": "1" * 40})

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, value, status=200):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _unknown(self):
        self.server.unknown.append(f"{self.command} {self.path}")
        self._answer({"error": "not part of the stand-in"}, 404)


@contextlib.contextmanager
def serving(refused=False):
    """Context with a running stand-in; `refused`: it refuses to be written to."""
    hub = _Hub(refused)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
