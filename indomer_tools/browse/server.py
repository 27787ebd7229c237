"""The page of all clips, served: on this machine to its user, or as a Space.

    app = make_app("path/to/release")

Built on Starlette and uvicorn (the extra `browse`), which are imported only to serve.
"""

import contextlib
import functools
import os
import socket
import threading
from pathlib import Path
from typing import Any

from indomer_files import IndoMERError
from indomer_tools.browse.clips import open_clips
from indomer_tools.browse.faces import FaceSearch
from indomer_tools.browse.html import CLIP_STYLE, features_png
from indomer_tools.browse.page import PAGE_SIZE, Shown, page_html
from indomer_tools.browse.search import Query, Search
from indomer_tools.browse.views import ClipView
from indomer_tools.html_page import BASE_STYLE

_LOCAL = "127.0.0.1"

# Nothing is asked of other hosts, and no text of a release can run.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {}"
)

# Pictures that are kept: those that one turns back to.
_N_PICTURES = 64


class _Pages:
    """What the addresses of the page answer."""

    def __init__(self, folder: str | os.PathLike[str], **options: Any) -> None:
        self._clips = open_clips(folder, **options)
        self._search = Search(self._clips.rows)
        self._faces = FaceSearch(lambda: open_clips(folder, **options))
        # Requests come in threads; neither feature files nor matplotlib are made for that.
        self._lock = threading.Lock()
        self._title = Path(os.fspath(folder)).resolve().name or "IndoMER"
        self._by_video: dict[Any, list[dict[str, Any]]] = {}
        for row in self._clips.rows:
            if row.get("video_id") is not None:
                self._by_video.setdefault(row["video_id"], []).append(row)
        for rows in self._by_video.values():
            rows.sort(key=lambda row: (row.get("segment_id") is None, row.get("segment_id")))
        self.picture = functools.lru_cache(_N_PICTURES)(self._draw)

    def page(self, parameters: Any) -> tuple[str, int]:
        """The HTML of a page, and its status.

        Args:
            parameters: Those of the address, several of one name among them.
        """
        query = Query(
            parameters.get("q", "").strip(),
            {
                facet: values
                for facet in Search.FACETS
                if (values := tuple(filter(None, parameters.getlist(facet))))
            },
        )
        notice, is_waiting = self._look_for_faces(query)
        found = [self._clips.rows[number] for number in self._search.found(query)]
        name, view, status = parameters.get("clip", ""), None, 200
        if name or found:
            try:
                view = self.view(name or found[0]["sample_id"])
            except IndoMERError as error:
                notice, status = str(error), 404
        shown = Shown(
            self._title,
            len(self._clips.rows),
            self._clips.missing,
            query,
            found,
            self._first_of_list(found, view, parameters.get("page", "")),
            view,
            bool(name),
            self._by_video.get(view.video_id, []) if view is not None else [],
            notice,
            is_waiting,
        )
        return page_html(shown, self._search), status

    def view(self, name: str) -> ClipView:
        """A clip.

        Raises:
            IndoMERError: There is none, or its features cannot be read.
        """
        with self._lock:
            return self._clips.view(name)

    def _draw(self, name: str) -> bytes:
        view = self.view(name)
        with self._lock:
            return features_png(view)

    def _look_for_faces(self, query: Query) -> tuple[str, bool]:
        """What to tell about clips without a face, which are looked for once they are asked for."""
        if "faceless" not in query.chosen.get("odd", ()):
            return "", False
        if "video features" in self._clips.missing:
            return "Without video features, nobody can tell where a face is.", False
        self._faces.start()
        self._faces.wait(0.5)
        if self._faces.error:
            return self._faces.error, False
        if self._faces.is_faceless is None:
            n, n_all = self._faces.n_seen, len(self._clips.rows)
            return f"Looking for faces: {n:,} of {n_all:,} clips so far.", True
        self._search.set_faceless(self._faces.is_faceless)
        return "", False

    def _first_of_list(self, found: list[dict[str, Any]], view: ClipView | None, page: str) -> int:
        """Place of the list's first clip: of a page that was asked for, or the shown clip's."""
        last = max(0, (len(found) - 1) // PAGE_SIZE)
        if page.isascii() and page.isdigit():
            return min(max(int(page[:9]) - 1, 0), last) * PAGE_SIZE
        names = [row["sample_id"] for row in found]
        if view is None or view.sample_id not in names:
            return 0
        return names.index(view.sample_id) // PAGE_SIZE * PAGE_SIZE


def make_app(
    folder: str | os.PathLike[str],
    *,
    allowed_hosts: tuple[str, ...] = (_LOCAL, "localhost"),
    frame_ancestors: str = "'none'",
    **options: Any,
) -> Any:
    """The page as an ASGI application.

    Args:
        folder: A release, or a folder that `indomer export` made.
        allowed_hosts: Names by which browsers may ask for it; another site must not read it by
            a name that leads here.
        frame_ancestors: Pages that may show it in a frame, as in a content security policy.
        **options: Of `open_clips`, such as `media_dir`.

    Returns:
        starlette.applications.Starlette.

    Raises:
        IndoMERError: The folder is neither, or Starlette is not installed.
    """
    pages = _Pages(folder, **options)
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise _not_installed() from error
    headers = {
        "Content-Security-Policy": _POLICY.format(frame_ancestors),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, max-age=0",
    }

    def page(request: Any) -> Any:
        html, status = pages.page(request.query_params)
        return HTMLResponse(html, status, headers)

    def picture(request: Any) -> Any:
        try:
            content = pages.picture(request.query_params.get("clip", ""))
        except IndoMERError as error:
            return PlainTextResponse(str(error), 404, headers)
        return Response(content, 200, headers, "image/png")

    def media(request: Any) -> Any:
        try:
            view = pages.view(request.query_params.get("clip", ""))
        except IndoMERError as error:
            return PlainTextResponse(str(error), 404, headers)
        path = view.media.get(request.query_params.get("kind", ""))
        if path is None or not os.path.isfile(path):
            return PlainTextResponse("No such file.", 404, headers)
        return FileResponse(path, headers=headers)

    def constant(text: str, media_type: str) -> Any:
        return lambda request: Response(text, 200, headers, media_type)

    def beside(name: str) -> str:
        return Path(__file__).with_name(name).read_text(encoding="utf-8")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/features.png", picture),
            Route("/media", media),
            Route("/page.css", constant(BASE_STYLE + CLIP_STYLE + beside("page.css"), "text/css")),
            Route("/page.js", constant(beside("page.js"), "text/javascript")),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))],
    )


def serve(app: Any, port: int, on_start: Any = None) -> None:
    """Serve an application to this machine until it is interrupted.

    Args:
        app: Of `make_app`.
        port: 0 for any that is free.
        on_start: Called with the address once it answers, and an interrupt ends it.

    Raises:
        IndoMERError: The port is in use, or uvicorn is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise _not_installed() from error

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if on_start is not None:
                on_start(f"http://{_LOCAL}:{listening.getsockname()[1]}")

    with contextlib.closing(_listen(port)) as listening:
        Server(uvicorn.Config(app, log_level="warning")).run([listening])


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_LOCAL, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise IndoMERError(
            f"--port {port}: {error.strerror}. Something else listens there: choose another port, "
            "or 0 for any that is free."
        ) from error
    return listening


def _not_installed() -> IndoMERError:
    return IndoMERError(
        "browse needs Starlette and uvicorn: pip install 'indomer[browse]'. Without them, "
        "`indomer show FOLDER CLIP --html FILE` writes a page of one clip."
    )
