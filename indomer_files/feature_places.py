"""Features of one's own: which file or folder is meant for which modality and split.

The option `feature_files` is {"audio": PATH}, with the clips of all splits in one file or folder,
or {"audio": {"train": PATH, "validation": PATH}}. A modality that the release does not have becomes
columns of its own: {"clip": PATH} makes `clip_feature` and `clip_length`.
"""

import contextlib
import hashlib
import keyword
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError, count
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.formats import open_features
from indomer_files.logs import warn_once
from indomer_files.options import did_you_mean
from indomer_files.release import Release
from indomer_files.schema import FEATURE_DIMS, MODALITIES, SPLITS
from indomer_files.sources import Place, absolute
from indomer_files.sources.store import Identity

# Modality -> split -> absolute path, or address.
Places = dict[str, dict[str, str]]

logger = logging.getLogger(__name__)

# Clips whose values are looked at.
_N_SAMPLED = 3

# Of the files in a folder that are read, and whose changes count.
_ENDINGS = (".npy", ".parquet")

_FORM = (
    "{modality: path} or {modality: {'train': path, 'validation': path}}, such as "
    "{'audio': 'wav2vec.safetensors'}"
)


def check_feature_files(feature_files: Any) -> Places:
    """The option `feature_files` with a path for each split; {} for None.

    Raises:
        IndoMERError: It has another form, or a modality whose columns could not be called so.
    """
    if feature_files is None:
        return {}
    if not isinstance(feature_files, Mapping):
        raise IndoMERError(f"feature_files: expected {_FORM}, got {feature_files!r}.")
    for modality in feature_files:
        _check_name(modality)
    return {modality: _check_paths(modality, paths) for modality, paths in feature_files.items()}


def _check_name(modality: Any) -> None:
    """A modality of the release that has features, or a new name that columns can have."""
    if modality in FEATURE_DIMS:
        return
    if not isinstance(modality, str) or not modality.isidentifier() or keyword.iskeyword(modality):
        raise IndoMERError(
            f"feature_files: expected names such as 'audio' or 'clip', which columns can be called "
            f"after ('clip_feature'), got {modality!r}. Use letters, digits and '_'."
        )
    hint = did_you_mean(modality, [*FEATURE_DIMS], likeness=1)
    if modality in MODALITIES or hint:
        # 'Audio' beside 'audio' is a slip, not a new modality.
        raise IndoMERError(
            f"feature_files: expected 'video', 'audio' or a name of your own that is none of the "
            f"release's, got {modality!r}.{hint}"
        )


def _check_paths(modality: str, paths: Any) -> dict[str, str]:
    """Split -> absolute path."""
    if isinstance(paths, (str, os.PathLike)) and os.fspath(paths):
        return dict.fromkeys(SPLITS, absolute(paths))
    option = f"feature_files[{modality!r}]"
    if not isinstance(paths, Mapping):
        raise IndoMERError(
            f"{option}: expected a path, or one for each of {', '.join(SPLITS)}, got {paths!r}."
        )
    unknown = [split for split in paths if split not in SPLITS]
    missing = [split for split in SPLITS if split not in paths]
    if unknown or missing:
        hint = did_you_mean(unknown[0], SPLITS) if unknown else ""
        raise IndoMERError(
            f"{option}: expected a path for each of {', '.join(SPLITS)}, got one for "
            f"{', '.join(map(repr, paths)) or 'none'}.{hint}"
        )
    for split, path in paths.items():
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise IndoMERError(f"{option}[{split!r}]: expected a path, got {path!r}.")
    return {split: absolute(paths[split]) for split in SPLITS}


def addresses_in(feature_files: Any) -> list[object]:
    """All paths in the option `feature_files`, before it is checked."""
    if not isinstance(feature_files, Mapping):
        return []
    paths = feature_files.values()
    return [
        path for one in paths for path in (one.values() if isinstance(one, Mapping) else (one,))
    ]


class FeaturePlaces:
    """Features of one's own, as `check_feature_files` returns them.

    Args:
        places: Modality -> split -> absolute path or address.
        storage_options: Keyword arguments of the file systems of addresses.
    """

    def __init__(
        self, places: Mapping[str, Mapping[str, str]], storage_options: dict[str, Any] | None = None
    ) -> None:
        self._places, self._storage_options = places, storage_options

    def __contains__(self, modality: object) -> bool:
        return modality in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __bool__(self) -> bool:
        return bool(self._places)

    def beside(self, release: Release, modalities: Sequence[str]) -> tuple[str, ...]:
        """What to load of a release: of one with labels alone, no features but these.

        Args:
            release: The release.
            modalities: Those that were asked for, these included.
        """
        if not self._places or set(modalities) < set(MODALITIES) or not release.has_no_features():
            return tuple(modalities)
        kept = tuple(modality for modality in modalities if modality == "text" or modality in self)
        left = [modality for modality in modalities if modality not in kept]
        if left:
            warn_once(
                logger,
                f"{release.data_dir}: no {' and no '.join(left)} features, and none in "
                f"feature_files; loaded without, as with modalities={kept!r}.",
            )
        return kept

    def path(self, modality: str, split: str) -> str:
        """Path or address of the features of a split."""
        return self._places[modality][split]

    def splits_of(self, modality: str, split: str) -> list[str]:
        """All splits whose features lie where those of this one lie."""
        paths = self._places[modality]
        return [other for other in paths if paths[other] == paths[split]]

    def paths(self) -> list[str]:
        """All paths and addresses, each once."""
        return list(dict.fromkeys(path for by in self._places.values() for path in by.values()))

    def open(
        self,
        modality: str,
        split: str,
        padding: str = "auto",
        orders: Callable[[], Iterable[list[str]]] | None = None,
    ) -> FeatureArrays:
        """Open the features of a split; arguments are those of `open_features`."""
        return open_features(
            self.path(modality, split),
            modality=modality,
            padding=padding,
            orders=orders,
            storage_options=self._storage_options,
        )

    def widths(self, given: Mapping[str, int]) -> dict[str, int]:
        """Modality -> values a frame: as given, else as the files have it.

        Args:
            given: What the options say; what they say by default is not what a file must have.
        """
        return {
            modality: self._width(modality)
            if given.get(modality) == FEATURE_DIMS.get(modality)
            else given[modality]
            for modality in self._places
        }

    def _width(self, modality: str) -> int:
        """Values a frame, as the first clip of the first file has them.

        Raises:
            IndoMERError: There is no clip, or a frame without values.
        """
        path = self.path(modality, next(iter(SPLITS)))
        with self.open(modality, next(iter(SPLITS))) as file:
            # Of a file on a server, this is less than all names.
            name = next(iter(file.spread_names(2)), None)
            if name is None:
                raise IndoMERError(
                    f"{path}: expected {modality} features, found no clip. Write one array for "
                    "each clip."
                )
            shape = file.shape(name)
        if shape[1] < 1:
            raise IndoMERError(
                f"{path}, clip {name!r}: expected shape (T, D) with values in a frame, found "
                f"{shape}. Write one array of frames for each clip."
            )
        return shape[1]

    def files_of(self, path: str) -> list[Place]:
        """The files that are read of one path: itself, or those in the folder."""
        place = Place.of(path, IndoMERError, storage_options=self._storage_options)
        return place.all_files(_ENDINGS)

    @property
    def names(self) -> dict[str, list[str]]:
        """Modality -> what its files or folders are called, without those that they are in."""
        return {
            modality: list(
                dict.fromkeys(Place.of(path, IndoMERError).name for path in paths.values())
            )
            for modality, paths in self._places.items()
        }

    def identity(self) -> dict[str, Identity | None]:
        """Path -> what tells these features from changed ones: sizes and times."""
        return {path: self.identity_of(path) for path in self.paths()}

    def identity_of(self, path: str) -> Identity | None:
        """What tells one file or folder from a changed one, or None where it is gone."""
        place = Place.of(path, IndoMERError, storage_options=self._storage_options)
        assert place.store is not None
        if not place.is_folder():
            return place.store.identity(place.path)
        digest, n_bytes = hashlib.sha256(), 0
        for inner in place.files(_ENDINGS):
            size, version = _version_of(inner)
            n_bytes += size
            digest.update(f"{inner.path.removeprefix(place.path)} {size} {version}\n".encode())
        return n_bytes, [("sha256", digest.hexdigest())]


def tell_unused(file: FeatureArrays, names: Sequence[str], splits: Sequence[str]) -> None:
    """Warn once of clips of a file that no row has, and where its values are all NaN.

    Args:
        file: Open features, of which all but the arrays were read.
        names: Clips of the rows.
        splits: What the rows belong to.
    """
    keys = set(map(clip_key, names))
    stored = list(file)
    unused = [name for name in stored if clip_key(name) not in keys]
    if unused:
        warn_once(
            logger,
            f"{file.name}: {count(unused, stored, 'clips')} no row in {' or '.join(splits)}, and "
            "are not used.",
        )
    sampled = [file.read_trimmed(name) for name in file.spread_names(_N_SAMPLED) if name in file]
    values = [frames for frames in sampled if frames.size]
    if values and all(np.isnan(frames).all() for frames in values):
        warn_once(
            logger,
            f"{file.name}: all values of the {len(values)} clips that were looked at are NaN. "
            "Compute the features again, or pass on_missing='empty' and leave such clips out of "
            "the file.",
        )


def _version_of(place: Place) -> tuple[int, str]:
    """Size of a file in bytes, and what tells its version."""
    if place.is_local:
        # A thousand files are asked for, again and again.
        with contextlib.suppress(FileNotFoundError):
            stat = os.stat(place.path)
            return stat.st_size, str(stat.st_mtime_ns)
        return 0, "gone"
    assert place.store is not None
    size, told = place.store.identity(place.path) or (0, [])
    return size or 0, repr(told)
