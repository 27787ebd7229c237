"""The files of a release: which are there, where, how large, and with which sha256."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from indomer_files import IndoMERError, Release
from indomer_files.schema import (
    ANNOTATION_PLACES,
    CONFIGS,
    DOWNLOAD_ADVICE,
    FEATURE_PLACES,
    SPLIT_PLACES,
    SPLITS,
)
from indomer_tools.check.findings import Report
from indomer_tools.file_digest import size_and_sha256

# sha256 is slower than the check of features: bigger files only get it when asked.
HASHED_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Files:
    """The files of a release, as a report names and digests them.

    Args:
        release: The release.
        sha256: Whether to compute the sha256 of files: of all, of none, or of those up to
            `HASHED_BYTES` (None).
    """

    release: Release
    sha256: bool | None

    def digest(self, path: str) -> str | None:
        """The sha256 of a file, where it is wanted; None, too, of one that cannot be read."""
        size = self.release.fs.size(path)
        if not (size <= HASHED_BYTES if self.sha256 is None else self.sha256):
            return None
        try:
            with self.release.fs.open(path, "rb") as file:
                return size_and_sha256(file)[1]
        except OSError:
            # Whoever reads its content will report it.
            return None


class _Part(NamedTuple):
    """One file that a release should have."""

    kind: str
    path: str | None
    places: tuple[str, ...]
    names: dict[str, str]

    @property
    def documented(self) -> str:
        """Where the card's description says that it is."""
        return self.places[0].format(**self.names)


def check_files(report: Report, files: Files, own: Collection[str] = ()) -> None:
    """List the files of a release; report those that are missing, twice there, or elsewhere.

    Args:
        report: Gets the table `files` and findings.
        files: Those of the release.
        own: Modalities whose features are elsewhere, and not missed here.

    Raises:
        IndoMERError: Nothing of a release is in the folder.
    """
    release, parts = files.release, list(_parts(files.release))
    if not any(part.path for part in parts):
        raise IndoMERError(
            f"{release.data_dir}: nothing of a release is in this folder. {DOWNLOAD_ADVICE}"
        )
    table: list[dict[str, Any]] = []
    missing: dict[str, list[str]] = defaultdict(list)
    elsewhere, twice = [], []
    for part in parts:
        if part.path is None and part.names.get("modality") in own:
            continue
        if part.path is None:
            missing[part.kind].append(part.documented)
            continue
        row = _row(part, files)
        table.append(row)
        if row["path"] != row["documented"]:
            elsewhere.append(f"{row['path']}: expected {row['documented']}")
        places = [place.format(**part.names) for place in part.places]
        hits = [hit for place in places for hit in release.matches(place)]
        if len(hits) > 1:
            twice.append(" and ".join(map(release.shown, hits)))
    report.tables["files"] = table
    expected = [part for part in parts if part.names.get("modality") not in own]
    n_features = sum(part.kind == "features" for part in expected)
    _report_missing(report, missing, n_features)
    report.add("file-twice", "files", twice)
    report.add("layout-undocumented", "files", elsewhere)


def _parts(release: Release) -> Iterator[_Part]:
    for config in CONFIGS:
        for split, name in SPLITS.items():
            path = release.split_path(config, split)
            yield _Part("split", path, SPLIT_PLACES, {"config": config, "split": name})
    yield _Part("annotations", release.annotations_path(), ANNOTATION_PLACES, {})
    for modality in ("video", "audio"):
        for split, name in SPLITS.items():
            path = release.feature_path(modality, split)
            yield _Part("features", path, FEATURE_PLACES, {"modality": modality, "split": name})


def _row(part: _Part, files: Files) -> dict[str, Any]:
    """The row of a file in the table `files`. Features are digested when they are read."""
    path = part.path or ""
    return {
        "part": part.kind,
        "path": files.release.shown(path),
        "documented": part.documented,
        "bytes": files.release.fs.size(path),
        "sha256": None if part.kind == "features" else files.digest(path),
    }


def _report_missing(report: Report, missing: Mapping[str, list[str]], n_features: int) -> None:
    report.add("split-missing", "files", missing["split"])
    report.add("annotations-missing", "files", missing["annotations"])
    are_all = len(missing["features"]) == n_features
    code = "features-absent" if are_all else "features-missing"
    report.add(code, "files", missing["features"])
