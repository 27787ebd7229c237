"""Where a file or folder lies: what other processes open it by."""

import contextlib
import dataclasses
import functools
import os
from typing import Any, BinaryIO

from indomer_files.sources.files import FileSource
from indomer_files.sources.opening import open_source
from indomer_files.sources.store import Store


@dataclasses.dataclass(frozen=True)
class Place:
    """A file or folder, not opened. It can be pickled unless it is a file object.

    Attributes:
        path: Path in `store`, or a seekable binary file object.
        store: File system of the path; None for a file object.
        error: Raised for what the user can act upon.
    """

    path: Any
    store: Store | None
    error: type[Exception]

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str] | BinaryIO,
        error: type[Exception],
        store: Store | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> "Place":
        """The place of a path, an fsspec address, or a file object.

        Args:
            path: The path or address of a file or folder, or a seekable binary file object.
            error: As for the class.
            store: File system in which `path` is a path.
            storage_options: Keyword arguments of the file system of an address.
        """
        if hasattr(path, "read") and hasattr(path, "seek"):
            return cls(path, None, error)
        path = os.fspath(path)
        if store is None:
            store, path = Store.of_address(path, storage_options, error)
        return cls(path, store, error)

    @functools.cached_property
    def name(self) -> str:
        """What messages call it: the last part of its path."""
        path = getattr(self.path, "name", self.path)
        path = path if isinstance(path, str) else type(self.path).__name__
        return os.path.basename(path.rstrip("/\\")) or path

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk."""
        return self.store is not None and self.store.is_local

    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.store is not None and self.store.is_folder(self.path)

    def files(self, endings: str | tuple[str, ...] = "") -> list["Place"]:
        """Files below a folder whose names end like this, in the order of their names."""
        assert self.store is not None
        paths = (path for path in self.store.find(self.path) if path.casefold().endswith(endings))
        return [Place(path, self.store, self.error) for path in sorted(paths)]

    def all_files(self, endings: str | tuple[str, ...] = "") -> list["Place"]:
        """Those of a folder, or the one file that this is."""
        return self.files(endings) if self.is_folder() else [self]

    def size(self) -> int:
        """Size of the file in bytes."""
        with contextlib.closing(self.open()) as source:
            return source.size

    def open(self) -> FileSource:
        """Open the file for reading at any place."""
        return open_source(self.path, self.error, self.store)
