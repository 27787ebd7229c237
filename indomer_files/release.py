"""Which part of a release lies where, and what tells a changed file."""

import copy
import logging
import os
import re
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
        self._names_by_folder: dict[str, set[str] | None] = {}
        if self._is_file():
            raise IndoMERError(self._file_message())
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

    def advice(self, has_split: bool = False) -> str:
        """Where a release is that this folder is only a part of, or only holds; or "".

        For the messages of errors: it looks into folders that may be there.

        Args:
            has_split: Whether a split was found here: then a release further down is another one.
        """
        above = self._release_above(self.data_dir)
        if above is not None:
            return f"This folder is a part of a release: pass the one above, data_dir={above!r}."
        inside = [] if has_split else self._releases_inside()
        if len(inside) == 1:
            return f"There is a release in this folder: pass data_dir={inside[0]!r}."
        if inside:
            return f"There are releases in this folder; pass one: {', '.join(map(repr, inside))}."
        archives = sorted(filter(_is_archive, self._names(self.root) or ()))
        return f"The folder holds {archives[0]!r}: unpack it first." if archives else ""

    def warn_of_part(self) -> None:
        """Warn where this folder is a part of a release, and labels are missing for that."""
        above = self._release_above(self.data_dir)
        if above and not self.annotations_path() and self._near(above).annotations_path():
            warn_once(
                logger,
                f"{self.data_dir} is a part of a release. For all labels, pass the folder above: "
                f"data_dir={above!r}.",
            )

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

    # Folders and files near a release.

    def _is_file(self) -> bool:
        name = _last_part(self.root)
        if self._is_web:
            # Listing would fetch the whole of it, to look for links.
            return name.casefold().endswith(_FILE_ENDINGS) and self.store.is_web_file(self.root)
        if self.store.is_local:
            return self.store.exists(self.root) and not self.store.is_folder(self.root)
        # File systems list a file as itself.
        return self._names(self.root) == {name} and self.store.is_file(self.root)

    def _file_message(self) -> str:
        what = f"data_dir {self.data_dir!r}: this is a file."
        if _is_archive(self.data_dir):
            return f"{what} Unpack it and pass the folder that comes out."
        above = self._release_above(_above(self.data_dir))
        if above is None and self._has_release(_above(self.data_dir)):
            above = _above(self.data_dir)
        return f"{what} Please pass the folder of the release" + (
            f", data_dir={above!r}." if above else "; unpack an archive first, and pass the folder."
        )

    def _release_above(self, folder: str) -> str | None:
        """The folder above one that is called like a part of a release, if there is one there."""
        if _last_part(folder).casefold() not in _PART_FOLDERS:
            return None
        return _above(folder) if self._has_release(_above(folder)) else None

    def _releases_inside(self) -> list[str]:
        """Releases in folders of this one, or in folders of these."""
        waiting, looked_at = [self.data_dir], 0
        for _ in range(2):
            inside = []
            for folder in waiting:
                inside += [
                    self._join(folder, name)
                    for name in sorted(self._names(self.store.path_of(folder)) or ())
                    if not name.casefold().endswith(_FILE_ENDINGS)
                ]
            inside = inside[: _MOST_LOOKED_AT - looked_at]
            looked_at += len(inside)
            found = [folder for folder in inside if self._has_release(folder)]
            if found:
                return found
            waiting = inside
        return []

    def _has_release(self, data_dir: str) -> bool:
        """Whether there is a split below an address of the same file system."""
        near = self._near(data_dir)
        try:
            return any(
                near.matches(place.format(config=config, split=split))
                for place in SPLIT_PLACES
                for config in CONFIGS
                for split in SPLITS.values()
            )
        except IndoMERError:
            return False

    def _near(self, data_dir: str) -> "Release":
        """The release in another folder of the same file system, whether it is there or not."""
        near = copy.copy(self)
        near.data_dir, near.root = data_dir, self.store.path_of(data_dir)
        return near

    @staticmethod
    def _join(folder: str, name: str) -> str:
        return f"{folder.rstrip('/')}/{name}" if folder else name


# Names of the folders that places begin with.
_PART_FOLDERS = {
    place.format(config=config, split="", modality=modality).partition("/")[0].casefold()
    for place in (*SPLIT_PLACES, *FEATURE_PLACES)
    if "/" in place
    for config in CONFIGS
    for modality in ("video", "audio")
}

_ARCHIVE_ENDINGS = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_FILE_ENDINGS = (*_ARCHIVE_ENDINGS, ".json", ".csv", ".pkl", ".parquet", ".arrow")

# Folders that are looked into for a release, at most.
_MOST_LOOKED_AT = 30


def _is_archive(name: str) -> bool:
    return name.casefold().endswith(_ARCHIVE_ENDINGS)


def _last_part(address: str) -> str:
    return re.split(r"[/\\]", address.rstrip("/\\"))[-1]


def _above(address: str) -> str:
    address = address.rstrip("/\\")
    return address[: -len(_last_part(address))].rstrip("/\\")
