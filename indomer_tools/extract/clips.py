"""Which clips there are, what their features are made of, and which file they go into."""

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import indomer
from indomer_files.clip_names import clip_key
from indomer_files.code_digest import code_digest
from indomer_files.labels import read_split
from indomer_files.media import MediaFolder
from indomer_files.schema import CONFIGS, SPLITS
from indomer_tools.extract import faces, files, sound
from indomer_tools.extract.problems import ClipError, Problem

Paths = dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Task:
    """The features of one clip that one process is to make.

    Attributes:
        modality: "audio" or "video".
        split: "train" or "validation"; None where there are no splits.
        name: What the clip is called in the file of features.
        source: What they are made of: a file with sound, a CSV, or a video for OpenFace.
        program: Path of OpenFace's `FeatureExtraction`, if it is to be run.
        csv: Where to keep the CSV that it writes.
        identity: Digest of all that the features depend on; a changed source has another one.
    """

    modality: str
    split: str | None
    name: str
    source: str
    program: str | None = None
    csv: str | None = None
    identity: str = ""


@dataclasses.dataclass
class Found:
    """What was found on disk.

    Attributes:
        tasks: What there is to do, in the order of the files.
        problems: What is wrong already.
        n_by_unit: How many "clips", "CSVs" and "files" there are.
    """

    tasks: list[Task]
    problems: list[Problem]
    n_by_unit: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where clips, CSVs and splits come from; arguments of `make_features`."""

    clips: str
    csvs: str | None
    program: str | None
    release: str | None
    storage_options: dict[str, Any] | None = dataclasses.field(default=None, repr=False)


def find_tasks(sources: Sources, modalities: Sequence[str], tools: dict[str, str]) -> Found:
    """Look for clips and CSVs, and for the names of the release.

    Args:
        sources: Where to look.
        modalities: Of "audio" and "video", those to make.
        tools: Versions of what makes features of sound.

    Raises:
        IndoMERError: A folder is missing or has no clip, or the release has no split files.
    """
    found = Found([], [], {})
    # With the CSVs, video needs no clip.
    needs_clips = "audio" in modalities or sources.program is not None
    media = _media(sources.clips, needs_clips)
    csvs = _csvs(sources) if "video" in modalities else {}
    on_disk = {key: None for _, key in media.addresses} if media else dict.fromkeys(csvs)
    names = _release_names(sources) if sources.release else {None: dict.fromkeys(sorted(on_disk))}
    wanted = {key for clips in names.values() for key in clips}
    if sources.release:
        found.problems += [
            Problem("not in release", key) for key in sorted(set(on_disk) - wanted) if media
        ]
    found.problems += [
        Problem("no clip", path) for key in sorted(set(csvs) - wanted) for path in csvs[key]
    ]
    found.n_by_unit = {
        "clips": len(wanted | set(on_disk)),
        "CSVs": sum(map(len, csvs.values())),
    }
    found.n_by_unit["files"] = sum(found.n_by_unit.values())
    for modality in modalities:
        for split, clips in names.items():
            for key, released in clips.items():
                name = (released or {}).get(modality)
                try:
                    task = _task(modality, split, key, name, media, csvs, sources)
                except ClipError as error:
                    problem = Problem(error.kind, error.detail)
                    if problem not in found.problems:
                        found.problems.append(problem)
                else:
                    found.tasks.append(_with_identity(task, tools))
    return found


def _media(folder: str, is_needed: bool) -> MediaFolder | None:
    if "://" in folder or not os.path.isdir(folder):
        raise indomer.IndoMERError(
            f"CLIPS {folder!r}: expected a folder on a local or mounted disk. Check the path."
        )
    try:
        media = MediaFolder(folder)
    except indomer.IndoMERError as error:
        if not is_needed:
            return None
        raise indomer.IndoMERError(
            f"CLIPS {folder!r}: expected clips such as clip_1_Cooking_1.mp4 or .wav, found none. "
            "Pass the folder that they are in, or one above."
        ) from error
    # What macOS puts beside files on other disks.
    hidden = [place for place in media.addresses if place[1].startswith(".")]
    for place in hidden:
        del media.addresses[place]
    return media


def _csvs(sources: Sources) -> Paths:
    """Key of a clip -> its CSVs."""
    folder = sources.csvs
    if folder is None:
        return {}
    if not os.path.isdir(folder) and (sources.program is None or os.path.lexists(folder)):
        raise indomer.IndoMERError(
            f"openface {folder!r}: expected a folder with the CSVs of OpenFace, found none. Pass "
            "the folder that its -out_dir named."
        )
    csvs = collections.defaultdict(list)
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.casefold() == ".csv" and not path.name.startswith("."):
            csvs[clip_key(path.name)].append(str(path))
    return dict(csvs)


def _release_names(sources: Sources) -> dict[str | None, dict[str, dict[str, str] | None]]:
    """Split -> key of a clip -> modality -> its name there, in the order of the split files."""
    release = indomer.Release(sources.release or "", sources.storage_options)
    there = [name for name in CONFIGS if any(release.split_path(name, split) for split in SPLITS)]
    names: dict[str | None, dict[str, dict[str, str] | None]] = {split: {} for split in SPLITS}
    seen: set[str] = set()
    # Both configs have the same clips; of a release with one of them, the other is not missed.
    for config in there or CONFIGS[:1]:
        for split in SPLITS:
            for row in read_split(release, config, split):
                key = clip_key(row["video"])
                if key not in seen:
                    seen.add(key)
                    names[split][key] = {"video": row["video"], "audio": row["audio"]}
    return names


def _task(
    modality: str,
    split: str | None,
    key: str,
    name: str | None,
    media: MediaFolder | None,
    csvs: Paths,
    sources: Sources,
) -> Task:
    """What there is to do for one clip; ClipError where there is nothing to make it of."""
    clip = None
    if modality == "audio" or (key not in csvs and sources.program):
        clip = _clip(media, modality, name or key)
        if clip is None and media is not None and _clip(media, "audio", key):
            raise ClipError("no video", key)
        if clip is None:
            raise ClipError("absent", name or key)
    if modality == "audio" or clip is not None:
        assert clip is not None
        name = name or os.path.basename(clip)
        if modality == "audio":
            return Task(modality, split, name, clip)
        csv = None if sources.csvs is None else os.path.join(sources.csvs, f"{key}.csv")
        return Task(modality, split, name, clip, sources.program, csv)
    paths = csvs.get(key, [])
    if len(paths) > 1:
        raise ClipError("twice", ", ".join(paths))
    if not paths:
        raise ClipError("no CSV", name or key)
    return Task(modality, split, name or _video_name(media, key), paths[0])


def _clip(media: MediaFolder | None, modality: str, name: str) -> str | None:
    """Path of a clip's file; for sound its audio file or, without one, its video."""
    try:
        found = media.of(modality, name) if media else None
    except indomer.IndoMERError as error:
        raise ClipError("twice", str(error)) from error
    return None if found is None else str(found["path"])


def _video_name(media: MediaFolder | None, key: str) -> str:
    """What a clip with a CSV is called where no release says so."""
    paths = media.addresses.get(("video", key)) if media else None
    return os.path.basename(paths[0]) if paths else key


def _with_identity(task: Task, tools: dict[str, str]) -> Task:
    """The task with the digest of what its features depend on."""
    state = [_state(path) for path in (task.source, task.program) if path is not None]
    code = code_digest(sound.__file__, faces.__file__, files.__file__)
    versions = sorted(tools.items()) if task.modality == "audio" else []
    return dataclasses.replace(task, identity=digest((task.modality, state, versions, code)))


def settled(task: Task, tools: dict[str, str]) -> Task:
    """The task as the next call will find it: once OpenFace has written a CSV, there is one."""
    if task.csv is None or not os.path.exists(task.csv):
        return task
    return _with_identity(dataclasses.replace(task, source=task.csv, program=None, csv=None), tools)


def _state(path: str) -> tuple[str, int, int] | None:
    """What tells a file from a changed one; None where it is gone, which making features tells."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return path, state.st_size, state.st_mtime_ns


def digest(value: object) -> str:
    """Name for whatever has a `repr`: 40 digits of its sha256."""
    return hashlib.sha256(repr(value).encode("utf-8", "surrogateescape")).hexdigest()[:40]


def splits_of(tasks: Iterable[Task]) -> dict[tuple[str, str | None], list[Task]]:
    """(modality, split) -> its tasks: one file of features each."""
    grouped = collections.defaultdict(list)
    for task in tasks:
        grouped[task.modality, task.split].append(task)
    return dict(grouped)
