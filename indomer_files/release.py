"""Which part of a release lies where, and what tells a changed file."""

import functools
import logging
import os
from collections.abc import Iterable
from typing import Any

from fsspec.spec import AbstractFileSystem

from indomer_files.errors import IndoMERError
from indomer_files.safe_text import safe_text
from indomer_files.schema import (
    ANNOTATION_PLACES,
    CONFIGS,
    DOWNLOAD_ADVICE,
    FEATURE_PLACES,
    SPLIT_PLACES,
    SPLITS,
)
from indomer_files.sources import Store, absolute
from indomer_files.sources.store import Identity

logger = logging.getLogger(__name__)


class Release:
    """Which parts of a release lie where, below a folder or any fsspec address of one.

    Args:
        data_dir: Folder of the release.
        storage_options: Keyword arguments of its file system, such as credentials.

    Raises:
        IndoMERError: There is no such folder, or its server cannot be reached.
    """

    def __init__(
        self, data_dir: str | os.PathLike[str], storage_options: dict[str, Any] | None = None
    ) -> None:
        self.data_dir = absolute(data_dir)
        self.store, self.root = Store.of_address(self.data_dir, storage_options, IndoMERError)
        self._names_by_folder: dict[str, set[str] | None] = {}
        # Web servers need not list a folder to have files in it.
        if not (self._is_listed or self._is_web or self.store.is_folder(self.root)):
            raise IndoMERError(f"data_dir {self.data_dir!r}: no such folder. {DOWNLOAD_ADVICE}")

    @property
    def fs(self) -> AbstractFileSystem:
        """The file system that its paths are of."""
        return self.store.fs

    def split_path(self, config: str, split: str) -> str | None:
        """Path of a split JSON, or None."""
        return self._find(SPLIT_PLACES, config=config, split=SPLITS[split])

    def annotations_path(self) -> str | None:
        """Path of Annotations.csv, or None."""
        return self._find(ANNOTATION_PLACES)

    def feature_path(self, modality: str, split: str) -> str | None:
        """Path of a feature pickle, or None."""
        return self._find(FEATURE_PLACES, modality=modality, split=SPLITS[split])

    def places(self, places: Iterable[str], **names: str) -> str:
        """The places where a part is looked for, as one string for an error message."""
        return ", ".join(self._join(self.data_dir, place.format(**names)) for place in places)

    def matches(self, place: str) -> list[str]:
        """Existing paths that equal a place but for case, the exact one first.

        Raises:
            IndoMERError: A folder on the way is there, and cannot be read.
        """
        if self._is_web and not self._is_listed:
            path = self._join(self.root, place)
            return [path] if self.store.exists(path) else []
        paths = [self.root]
        for part in place.split("/"):
            paths = [found for path in paths for found in self._entries(path, part)]
        return paths

    def shown(self, path: str) -> str:
        """A path of the release as seen from its folder."""
        return path.removeprefix(self.root).lstrip("/")

    def read(self, path: str) -> bytes:
        """All bytes of a small file."""
        return self.store.read(path)

    def identity(self, modalities: Iterable[str]) -> dict[str, Identity | None]:
        """What tells these files from changed ones or others: places, sizes and times."""
        paths = [self.annotations_path()]
        for split in SPLITS:
            paths += [self.split_path(config, split) for config in CONFIGS]
            paths += [self.feature_path(modality, split) for modality in modalities]
        return {path: self.file_identity(path) for path in paths if path}

    def file_identity(self, path: str) -> Identity | None:
        """What tells one file from a changed one, or None where it is gone."""
        return self.store.identity(path)

    def _find(self, places: Iterable[str], **names: str) -> str | None:
        hits = [hit for place in places for hit in self.matches(place.format(**names))]
        if len(hits) > 1:
            _warn_once(f"Found {' and '.join(hits)}; using the first.")
        return hits[0] if hits else None

    @property
    def _is_web(self) -> bool:
        return self.store.has_protocol("http")

    @property
    def _is_listed(self) -> bool:
        """Whether the folder of the release says what is in it."""
        return bool(self._names(self.root))

    def _entries(self, folder: str, part: str) -> list[str]:
        """Paths in a folder whose last part is this one but for case, the exact one first."""
        names = self._names(folder)
        if names is None:
            # What may not be listed can be there all the same, as it is documented.
            path = self._join(folder, part)
            return [path] if self.store.exists(path) else []
        alike = [name for name in names if name.casefold() == part.casefold()]
        alike.sort(key=lambda name: (name != part, name))
        return [self._join(folder, name) for name in alike]

    def _names(self, folder: str) -> set[str] | None:
        if folder not in self._names_by_folder:
            self._names_by_folder[folder] = self.store.names(folder)
        return self._names_by_folder[folder]

    @staticmethod
    def _join(folder: str, name: str) -> str:
        return f"{folder.rstrip('/')}/{name}" if folder else name


@functools.cache
def _warn_once(message: str) -> None:
    logger.warning(safe_text(message, "terminal"))
