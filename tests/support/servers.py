"""Real servers on the loopback: nginx for https-like addresses, moto for S3, and a bad line."""

import contextlib
import dataclasses
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

_NGINX = """
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    default_type application/octet-stream;
    log_format counted '$request_method|$uri|$status|$body_bytes_sent|$http_range';
    access_log {folder}/access.log counted;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{ root "{root}"; autoindex {autoindex}; max_ranges {max_ranges}; {more} }}
    }}
}}
"""


@dataclasses.dataclass
class Request:
    """One line of a server's log."""

    method: str
    path: str
    status: int
    n_bytes: int
    ranges: str = ""


class Nginx:
    """A running nginx: its address, and what it has been asked for."""

    def __init__(self, url, log):
        self.url, self._log = url, log
        self._seen = 0

    def requests(self):
        """Those since the last call; the log is written after each answer is sent."""
        time.sleep(0.1)
        lines = self._log.read_text().splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        fields = (line.split("|") for line in new)
        return [Request(m, path, int(s), int(n), ranges) for m, path, s, n, ranges in fields]


@contextlib.contextmanager
def nginx(root, folder, *, autoindex=True, multirange=True, more=""):
    """Serve `root` over HTTP; `folder` takes configuration and logs."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = _NGINX.format(
        folder=folder,
        root=root,
        port=port,
        autoindex="on" if autoindex else "off",
        max_ranges=1000 if multirange else 1,
        more=more,
    )
    # Started by root, the workers would be somebody who may not look into temporary folders.
    (folder / "nginx.conf").write_text("user root;\n" + config)
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]
    process = subprocess.Popen(command)
    try:
        wait_for(port, process)
        yield Nginx(f"http://127.0.0.1:{port}", folder / "access.log")
    finally:
        process.terminate()
        process.wait(10)


@dataclasses.dataclass
class S3:
    """A running S3 server: where it is, and how to log in."""

    endpoint: str

    @property
    def options(self):
        """Keyword arguments of s3fs."""
        return {"key": "key", "secret": "secret", "client_kwargs": {"endpoint_url": self.endpoint}}


@contextlib.contextmanager
def s3():
    """Serve S3 from memory."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    port = free_port()
    code = "import sys; from moto.server import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield S3(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


class BadLine:
    """A proxy that resets connections: the next `n_resets` answers end after `after` bytes."""

    def __init__(self, port, after):
        self.n_resets, self.n_connections, self._after = 0, 0, after
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self._target))
        left = self._after
        with client, server, contextlib.suppress(OSError):
            # One thread for both ways: a socket that another thread waits for is not closed.
            while ready := select.select([client, server], [], [])[0]:
                for source, target in ((client, server), (server, client)):
                    if source in ready:
                        content = source.recv(1 << 16)
                        left -= len(content) if source is server else 0
                        if not content:
                            return
                        if left <= 0 and self.n_resets > 0:
                            self.n_resets -= 1
                            # A close that lingers for no time is a reset.
                            linger = struct.pack("ii", 1, 0)
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                            return
                        target.sendall(content)

    def close(self):
        self._listener.close()


def free_port():
    """A port that nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port, process, seconds=30):
    """Wait until something answers at a port."""
    for _ in range(seconds * 20):
        assert process.poll() is None, "the server has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("the server does not answer")
