"""Which kind of source reads a file."""

import os
from typing import Any, BinaryIO

from fsspec.spec import AbstractBufferedFile

from indomer_files.sources.files import FileSource, LocalSource
from indomer_files.sources.remote import RemoteSource
from indomer_files.sources.store import Store


def open_source(
    path: str | os.PathLike[str] | BinaryIO,
    error: type[Exception],
    store: Store | None = None,
    storage_options: dict[str, Any] | None = None,
) -> FileSource:
    """Open a file for reading at any place.

    Args:
        path: Path or fsspec address of a file, or a seekable binary file object.
        error: Raised for what the user can act upon.
        store: File system in which `path` is a path.
        storage_options: Keyword arguments of the file system of an address.
    """
    if hasattr(path, "read") and hasattr(path, "seek"):
        return FileSource(path, getattr(path, "name", type(path).__name__), False, error)
    path = os.fspath(path)
    if store is None:
        store, path = Store.of_address(path, storage_options, error)
    if store.is_local:
        return LocalSource(path, error)
    file, headers = store.retry(path, _open_remote, store, path)
    if isinstance(file, AbstractBufferedFile):
        return RemoteSource(file, store, path, headers)
    # In memory, in an archive: nothing to gain from reading ahead.
    return FileSource(file, path, True, error)


def _open_remote(store: Store, path: str) -> tuple[Any, dict[str, str]]:
    """Open a file that is read in ranges; return it and headers that ask for this version."""
    fs = store.fs
    if not store.has_protocol("http"):
        return fs.open(path, "rb", cache_type="none"), {}
    info = fs.info(path)
    # A weak tag never equals anything when it is asked for in this way.
    etag = info.get("ETag", "")
    same = {"If-Match": etag} if etag and not etag.startswith("W/") else {}
    headers = {**fs.kwargs.get("headers", {}), **same}
    size = info["size"] if info.get("partial", True) else None
    return fs.open(path, "rb", cache_type="none", size=size, headers=headers), headers
