"""Bytes of a file on a server, fetched with few requests."""

import concurrent.futures
import contextlib
import re
import threading
from collections.abc import Iterator, Sequence

from fsspec.asyn import sync
from fsspec.spec import AbstractBufferedFile

from indomer_files.sources.files import BLOCK_BYTES, FileSource
from indomer_files.sources.store import Store

# What is fetched ahead of what is read in order: at first, and at most.
_AHEAD_BYTES = (1 << 20, 8 << 20)

# An index reads on over gaps of this size, rather than with a request each.
_NEAR_BYTES = 1 << 18

# What lies between two payloads, with some of what follows; how many such pieces are fetched
# together, at first and at most, by how many connections where it takes several; and by how much
# names differ in length.
_PIECE_BYTES = 2048
_PIECES = (4, 100)
_CONNECTIONS = 16
_NAME_SPREAD = 16


class RemoteSource(FileSource):
    """Bytes of a file on a server, fetched with few requests.

    What is read in order is fetched in growing blocks, anything else as it is asked for. While an
    index is made, the next places of a regular file are guessed and fetched together: in one
    request where the server gives several ranges at once, else in some at the same time.
    """

    is_remote = True

    def __init__(
        self, file: AbstractBufferedFile, store: Store, path: str, headers: dict[str, str]
    ) -> None:
        super().__init__(file, path, owned=True, error=store.error)
        self._store, self._path, self._headers = store, path, headers
        self._lock = threading.Lock()
        # (start, bytes) of what is held: two blocks, since an index looks beyond the frames that
        # are asked for next, and pieces of what lies between payloads.
        self._blocks: list[tuple[int, bytes]] = [(0, b"")]
        self._pieces: list[tuple[int, bytes]] = []
        self._n_ahead, self._n_pieces = 0, _PIECES[0]
        self._is_sparse, self._last_start = False, 0
        self._strides: tuple[int, ...] = ()
        self.gives_ranges = store.has_protocol("http")
        # Those whose requests may be under way at the same time.
        self._is_parallel = store.fs.async_impl or store.has_protocol("hf")

    def _read_some(self, start: int, wanted: memoryview) -> int:
        with self._lock:
            return self._read_held(start, wanted)

    def _read_held(self, start: int, wanted: memoryview) -> int:
        if not self._is_sparse:
            # Frames were asked for: clips are read as they are found.
            self._strides = ()
        elif start - self._last_start > _PIECE_BYTES:
            self._strides = *self._strides[-1:], start - self._last_start
            self._last_start = start
        held = self._held(start)
        if held is None:
            self._fetch(start, len(wanted))
            held = self._held(start)
        if held is None:
            return 0
        place, block = held
        content = memoryview(block)[start - place :][: len(wanted)]
        wanted[: len(content)] = content
        return len(content)

    def fetch(self, start: int, stop: int) -> None:
        with self._lock:
            if self._held(start) is None:
                self._fetch(start, stop - start)

    def read_many(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        contents = []
        for first in range(0, len(spans), _PIECES[1]):
            together = spans[first : first + _PIECES[1]]
            if self.gives_ranges or self._is_parallel:
                with self._lock:
                    self._pieces = self._fetch_pieces(together)
            contents += super().read_many(together)
        return contents

    def _held(self, start: int) -> tuple[int, bytes] | None:
        for place, content in (*self._blocks, *self._pieces):
            if place <= start < place + len(content):
                return place, content
        return None

    def _fetch(self, start: int, n_bytes: int) -> None:
        block_start, block = self._blocks[-1]
        gap = start - block_start - len(block) if block else -1
        near = _NEAR_BYTES if self._is_sparse and not self._is_regular else _PIECE_BYTES
        if 0 <= gap <= near:
            least, most = _AHEAD_BYTES
            self._n_ahead = min(max(2 * self._n_ahead, least), most)
            # What was passed over comes along: it may be the frames that are asked for next.
            start, n_bytes = start - gap, n_bytes + gap
        elif self._is_sparse and start:
            self._pieces = self._fetch_pieces(self._guess(start, max(n_bytes, _PIECE_BYTES)))
            return
        else:
            self._n_ahead = 0
        stop = min(start + max(n_bytes + self._n_ahead, BLOCK_BYTES), self.size)
        self._blocks = [self._blocks[-1], (start, self._fetch_range(start, stop))]

    @property
    def _is_regular(self) -> bool:
        """Whether payloads were passed over at one distance, worth a jump."""
        # What takes a request for each of them pays from longer ones on.
        least = 4 * _PIECE_BYTES if self.gives_ranges else _NEAR_BYTES
        return (
            len(self._strides) == 2
            and self._strides[1] > least
            and abs(self._strides[1] - self._strides[0]) < _PIECE_BYTES
        )

    def _guess(self, start: int, n_bytes: int) -> list[tuple[int, int]]:
        """(start, stop) of what is wanted now, and of what will be if clips go on like this."""
        spans = [(start, min(start + n_bytes, self.size))]
        may_guess = self._is_regular and (self.gives_ranges or self._is_parallel)
        for i in range(1, self._n_pieces if may_guess else 1):
            # Clip names differ in length: the further ahead, the less certain is the place.
            place, spread = start + i * self._strides[1], i * _NAME_SPREAD
            if place + spread + n_bytes < self.size:
                spans.append((place - spread, place + spread + n_bytes))
        # An index may end after some clips.
        self._n_pieces = min(4 * self._n_pieces, _PIECES[1]) if may_guess else self._n_pieces
        return spans

    def _fetch_pieces(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, bytes]]:
        if len(spans) > 1 and self.gives_ranges:
            pieces: list[tuple[int, bytes]] | None = self._store.retry(
                self._path, sync, self._store.fs.loop, self._fetch_together, spans
            )
            if pieces is not None:
                return pieces
            self.gives_ranges = False
        if len(spans) == 1:
            return [(spans[0][0], self._fetch_range(*spans[0]))]
        with concurrent.futures.ThreadPoolExecutor(_CONNECTIONS) as pool:
            contents = pool.map(lambda span: self._fetch_range(*span), spans)
            return [(start, content) for (start, _), content in zip(spans, contents)]

    def _fetch_range(self, start: int, stop: int) -> bytes:
        def fetch() -> bytes:
            # The method by which fsspec's files ask their servers; unlike seek and read, threads
            # may use it at the same time.
            try:
                content: bytes = self._file._fetch_range(start, stop)
            except ValueError as error:
                raise self._error(
                    f"{self.name}: expected a server that gives parts of files ({error}). Download "
                    "the files and open the copies."
                ) from error
            if len(content) != stop - start:
                raise ConnectionError(
                    f"expected {stop - start} bytes at byte {start}, got {len(content)}"
                )
            return content

        return self._store.retry(self._path, fetch)

    async def _fetch_together(
        self, spans: Sequence[tuple[int, int]]
    ) -> list[tuple[int, bytes]] | None:
        """Several ranges in one request (RFC 9110, 14.6), or None where the server gives none."""
        import aiohttp

        fs = self._store.fs
        ranges = ",".join(f"{start}-{stop - 1}" for start, stop in spans)
        options = {**fs.kwargs, "headers": {**self._headers, "Range": f"bytes={ranges}"}}
        session = await fs.set_session()
        async with session.get(fs.encode_url(self._path), **options) as response:
            response.raise_for_status()
            if response.status != 206 or response.content_type != "multipart/byteranges":
                # The answer, maybe the whole file, is not waited for.
                return None
            pieces = []
            try:
                async for part in aiohttp.MultipartReader.from_response(response):
                    place = re.match(r"bytes (\d+)-", part.headers["Content-Range"])
                    pieces.append((int(place[1]), bytes(await part.read())))  # type: ignore
            except (KeyError, TypeError, ValueError):
                # Not the form that the RFC describes.
                return None
            return pieces

    @contextlib.contextmanager
    def sparse_reading(self) -> Iterator[None]:
        self._is_sparse = True
        try:
            yield
        finally:
            self._is_sparse = False
