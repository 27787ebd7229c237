"""Which part of a release lies where, and what tells a changed file."""

import logging
import os
from collections.abc import Iterable
from typing import Any

from fsspec.spec import AbstractFileSystem

from indomer_files.errors import IndoMERError
from indomer_files.logs import warn_once
from indomer_files.schema import (
    ANNOTATION_PLACES,
    CONFIGS,
    DOWNLOAD_ADVICE,
    FEATURE_DIMS,
    FEATURE_PLACES,
    MODALITIES,
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
        self._names_by_folder: dict[str, set[str]] = {}
        # Web servers need not list a folder to have files in it.
        is_there = (
            self._names(self.root)
            or self.store.has_protocol("http")
            or self.store.is_folder(self.root)
        )
        if not is_there:
            raise IndoMERError(f"data_dir {self.data_dir!r}: no such folder. {DOWNLOAD_ADVICE}")

    @property
    def fs(self) -> AbstractFileSystem:
        """The file system that its paths are of."""
        return self.store.fs

    def split_path(self, config: str, split: str) -> str | None:
        """Path of a split JSON, or None."""
        return self._find(SPLIT_PLACES, config=config, split=SPLITS[split])

    def modalities(self) -> tuple[str, ...]:
        """Those that can be loaded: text, and those that have feature files for every split."""
        return tuple(
            modality
            for modality in MODALITIES
            if modality == "text" or all(self.feature_path(modality, split) for split in SPLITS)
        )

    def has_no_features(self) -> bool:
        """Whether there is not a single feature file, as in the public release."""
        return not any(
            self.feature_path(modality, split) for modality in FEATURE_DIMS for split in SPLITS
        )

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
        """Existing paths that equal a place but for case, the exact one first."""
        if not self._names(self.root):
            # A server that lists no folders; the documented spelling may be there all the same.
            path = self._join(self.root, place)
            return [path] if self.store.exists(path) else []
        paths = [self.root]
        for part in place.split("/"):
            paths = [
                self._join(path, name)
                for path in paths
                for name in sorted(self._names(path), key=lambda name: (name != part, name))
                if name.casefold() == part.casefold()
            ]
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
            warn_once(logger, f"Found {' and '.join(hits)}; using the first.")
        return hits[0] if hits else None

    def _names(self, folder: str) -> set[str]:
        if folder not in self._names_by_folder:
            self._names_by_folder[folder] = self.store.names(folder)
        return self._names_by_folder[folder]

    @staticmethod
    def _join(folder: str, name: str) -> str:
        return f"{folder.rstrip('/')}/{name}" if folder else name
