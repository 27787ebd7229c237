"""Make features from clips: `indomer_tools.make_features("CLIPS", "OUT")`.

OUT is whole or not there: features are made clip by clip in OUT.incomplete, put together, and
renamed. What is killed goes on where it was, when it is called again.
"""

import concurrent.futures
import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import indomer
from indomer_files.columns import GEMAPS, OPENFACE
from indomer_files.errors import naming, system_error_words
from indomer_files.logs import warn
from indomer_files.options import check_choice
from indomer_files.schema import SPLITS
from indomer_tools.export.folder import part_of
from indomer_tools.export.lock import locked
from indomer_tools.extract import faces, files, sound
from indomer_tools.extract.clips import Found, Sources, Task, digest, find_tasks, settled, splits_of
from indomer_tools.extract.folder import (
    ENDINGS,
    WorkFolder,
    check_free,
    check_place,
    read_manifest,
    save_clip,
    write_manifest,
)
from indomer_tools.extract.problems import KINDS, ClipError, Problem, lines_of
from indomer_tools.file_digest import size_and_sha256
from indomer_tools.progress import progress_bar
from indomer_tools.worker_processes import refuse_in_new_process, worker_processes

logger = logging.getLogger(__name__)

# Modality -> names of the values of a frame.
COLUMNS = {"audio": GEMAPS, "video": OPENFACE}

_WRITERS = {"safetensors": files.write_safetensors, "pickle": files.write_pickle}

_KILLED_ADVICE = "Make the features again, with a smaller num_proc: finished clips are kept."


@dataclasses.dataclass(frozen=True)
class MadeFile:
    """One file of features.

    Attributes:
        file: Its path in the folder, such as "audio_feature/train_audio_features.safetensors".
        modality: "audio" or "video".
        split: "train", "validation", or None for all clips.
        clips: How many are in it.
        frames: How many true frames they have together.
        size: Its bytes.
        sha256: Its digest, in hex.
    """

    file: str
    modality: str
    split: str | None
    clips: int
    frames: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class MadeFeatures:
    """A folder of features.

    Attributes:
        folder: Where it is.
        files: What is in it.
        was_there: Whether an earlier call had made the same of the same files already.
    """

    folder: Path
    files: tuple[MadeFile, ...]
    was_there: bool = False

    @property
    def feature_files(self) -> dict[str, dict[str, str]]:
        """Modality -> split -> path; files of all clips stand for each split."""
        paths: dict[str, dict[str, str]] = {}
        for made in self.files:
            for split in SPLITS if made.split is None else (made.split,):
                paths.setdefault(made.modality, {})[split] = str(self.folder / made.file)
        return paths


def make_features(
    clips: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    openface: str | os.PathLike[str] | None = None,
    openface_bin: str | os.PathLike[str] | None = None,
    split_from: str | os.PathLike[str] | None = None,
    modalities: Sequence[str] | None = None,
    file_format: str = "safetensors",
    on_error: str = "error",
    num_proc: int | None = None,
    storage_options: dict[str, Any] | None = None,
    progress: bool = False,
) -> MadeFeatures:
    """Make the features of clips, as the release has them, and write them to a new folder.

    Audio: the 18 low-level descriptors of GeMAPSv01b, every 10 ms, by the package opensmile (for
    research alone, says its licence) of the clip's sound, which FFmpeg turns into 16 kHz and one
    channel. Video: 673 values a frame out of the CSVs of OpenFace 2, see
    `indomer_files.columns.OPENFACE`. All are float32.

    Args:
        clips: Folder with the clips, at any depth, named as in the release: clip_1_Cooking_1.mp4.
            A clip without an audio file has that of its video.
        out: Folder to make. It may be there if it is empty.
        openface: Folder with the CSVs that OpenFace's FeatureExtraction wrote, at any depth, named
            after the clips: clip_1_Cooking_1.csv.
        openface_bin: The program FeatureExtraction, to be run on clips that have no CSV. What it
            writes is kept in `openface`, if that is given.
        split_from: A release: one file for each of its splits, with its clips in its order. Without
            it, one file for all clips.
        modalities: Some of "audio" and "video"; by default audio, and video with OpenFace.
        file_format: "safetensors", without padding; or "pickle", as the release documents it: a
            list of dicts, zero-padded at the end to the longest clip of the file.
        on_error: "error": nothing is written if there are no features of some clips; "skip" leaves
            them out, with a warning.
        num_proc: Processes that work side by side; by default this one alone.
        storage_options: Of the file system of the release, such as credentials.
        progress: Show a progress bar, if stderr is a terminal.

    Returns:
        The folder and its files. Where an earlier call made the same of the same files, it is not
        made again.

    Raises:
        IndoMERError: An option or a folder is not as expected, a package or program is missing,
            or no features can be made of some clips: one error tells all of them.
    """
    refuse_in_new_process("make_features")
    check_choice("file_format", file_format, tuple(ENDINGS))
    check_choice("on_error", on_error, ("error", "skip"))
    chosen = _chosen(modalities, openface, openface_bin)
    with _system_errors_told():
        program = _program(openface_bin) if "video" in chosen else None
        tools = sound.versions() if "audio" in chosen else {}
        sources = Sources(
            os.path.abspath(clips) if "://" not in os.fspath(clips) else os.fspath(clips),
            None if openface is None else os.path.abspath(openface),
            program,
            None if split_from is None else os.fspath(split_from),
            storage_options,
        )
        place = check_place(out)
        found = find_tasks(sources, chosen, tools)
        with locked(place, "extraction"):
            making = _Making(found, WorkFolder(place), file_format, on_error, tools)
            return making.run(num_proc, progress)


def _chosen(
    modalities: Sequence[str] | str | None, openface: object, openface_bin: object
) -> tuple[str, ...]:
    has_openface = openface is not None or openface_bin is not None
    if modalities is None:
        return ("audio", "video") if has_openface else ("audio",)
    chosen = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    for modality in chosen:
        check_choice("modalities", modality, tuple(COLUMNS))
    if not chosen:
        raise indomer.IndoMERError(f"modalities: expected some of {tuple(COLUMNS)}, got none.")
    if "video" in chosen and not has_openface:
        raise indomer.IndoMERError(
            "Video features need OpenFace: pass the folder with its CSVs (openface, --openface), "
            "or its program FeatureExtraction (openface_bin, --openface-bin)."
        )
    return tuple(modality for modality in COLUMNS if modality in chosen)


def _program(openface_bin: str | os.PathLike[str] | None) -> str | None:
    if openface_bin is None:
        return None
    program = faces.find_program(openface_bin)
    if program is None:
        raise indomer.IndoMERError(
            f"openface_bin {os.fspath(openface_bin)!r}: expected the program FeatureExtraction of "
            "OpenFace, found no program of this name. Check path and rights."
        )
    return program


@contextlib.contextmanager
def _system_errors_told() -> Iterator[None]:
    """Context in which what the system refuses becomes an IndoMERError that says what to do."""
    try:
        yield
    except OSError as error:
        raise indomer.IndoMERError(
            f"{system_error_words(error)}. See to the disk, or to the rights to it, and make the "
            "features again: finished clips are kept."
        ) from error


# --- One clip -------------------------------------------------------------------------------------


def make_clip(task: Task, path: Path) -> Problem | None:
    """Make the features of one clip, in any process.

    Args:
        task: What to do.
        path: Where to write them, as a .npy file.

    Returns:
        What is wrong with the clip; None where all is well.

    Raises:
        OSError: The disk is full or fails.
    """
    try:
        if task.modality == "audio":
            frames = sound.audio_frames(task.source)
        elif task.program is None:
            frames = faces.video_frames(task.source)
        else:
            frames = faces.run_openface(task.program, task.source, task.csv)
    except ClipError as error:
        detail = f": {error.detail}" if error.detail else ""
        return Problem(error.kind, f"{os.path.basename(task.source)}{detail}")
    except OSError as error:
        if error.filename != task.source:
            raise
        return Problem("unreadable", system_error_words(error))
    with naming(path):
        save_clip(path, frames)
    return None


# --- All of them ----------------------------------------------------------------------------------


@dataclasses.dataclass
class _Making:
    """One call of `make_features`, once its arguments are known to be right."""

    found: Found
    work: WorkFolder
    file_format: str
    on_error: str
    tools: dict[str, str]

    def run(self, num_proc: int | None, progress: bool) -> MadeFeatures:
        tasks = self.found.tasks
        manifest = read_manifest(self.work.out, self._identity())
        if manifest is not None:
            # Perhaps killed between the last two steps.
            self.work.remove()
            made = tuple(MadeFile(**entry) for entry in manifest["files"])
            return MadeFeatures(self.work.out, made, was_there=True)
        check_free(self.work.out)
        self.work.begin([task.identity for task in tasks])
        self._warn_early()
        problems = [*self.found.problems, *self._make_clips(num_proc, progress)]
        self._report(problems)
        made = tuple(self._write_file(*group) for group in self._whole(problems))
        write_manifest(
            self.work.features,
            {
                "loader": {"name": "indomer", "version": indomer.__version__},
                "identity": self._identity(),
                "format": self.file_format,
                "tools": self.tools,
                "files": [dataclasses.asdict(one) for one in made],
            },
        )
        self.work.put_in_place()
        return MadeFeatures(self.work.out, made)

    def _identity(self) -> str:
        """Digest of all that the files depend on."""
        tasks = [settled(task, self.tools) for task in self.found.tasks]
        names = [(task.name, task.split, task.identity) for task in tasks]
        return digest((self.file_format, self.on_error, names))

    def _warn_early(self) -> None:
        """Say what is wrong already, before it takes hours to find out the rest."""
        n_found = len(self.found.problems)
        if n_found and self.found.tasks:
            lines = self._lines(self.found.problems)
            warn(
                logger,
                f"{n_found} problems so far: {'; '.join(lines)}. The rest is found out now; stop "
                "it, if you can correct these first.",
            )

    def _make_clips(self, num_proc: int | None, progress: bool) -> list[Problem]:
        """Make what is not there; return what is wrong, in the order of the clips."""
        waiting = [
            task
            for task in self.found.tasks
            if not self.work.has_clip(task.identity, len(COLUMNS[task.modality]))
        ]
        jobs = [(task, self.work.clip_path(task.identity)) for task in waiting]
        n_clips = len(self.found.tasks)
        with progress_bar(n_clips, "clip", "Making features", progress) as advance:
            advance(n_clips - len(jobs))
            if num_proc is None:
                outcomes = []
                for job in jobs:
                    outcomes.append(make_clip(*job))
                    advance(1)
            else:
                outcomes = _side_by_side(jobs, num_proc, advance)
        return [problem for problem in outcomes if problem is not None]

    def _report(self, problems: list[Problem]) -> None:
        """Raise IndoMERError that tells all problems, or warn of them."""
        if not problems:
            return
        lines = "; ".join(self._lines(problems))
        if self.on_error == "skip":
            warn(logger, f"Left out: {lines}.")
            return
        details = sorted(f"{KINDS[kind][1]}: {detail}" for kind, detail in problems)
        path = self.work.write_problems(details)
        raise indomer.IndoMERError(
            f"{lines}. All {len(problems)} are in {path}. No features were written. Correct the "
            "files and make the features again, finished clips are kept; or leave these out: "
            "on_error='skip', --on-error skip."
        )

    def _lines(self, problems: list[Problem]) -> list[str]:
        return lines_of(problems, self.found.n_by_unit)

    def _whole(
        self, problems: list[Problem]
    ) -> list[tuple[tuple[str, str | None], list[files.Clip]]]:
        """(modality, split) -> clips that have features, for each file to write."""
        groups = []
        for place, tasks in splits_of(self.found.tasks).items():
            paths = [(task.name, self.work.clip_path(task.identity)) for task in tasks]
            clips = [files.Clip(name, path) for name, path in paths if path.exists()]
            if clips:
                groups.append((place, clips))
        if not groups:
            lines = "; ".join(self._lines(problems)) or "no clips"
            raise indomer.IndoMERError(
                f"{self.work.out}: no features are left to write: {lines}. Correct the files."
            )
        return groups

    def _write_file(self, place: tuple[str, str | None], clips: list[files.Clip]) -> MadeFile:
        modality, split = place
        prefix = "" if split is None else f"{SPLITS[split]}_"
        name = f"{modality}_feature/{prefix}{modality}_features{ENDINGS[self.file_format]}"
        path = self.work.features / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        with naming(part):
            with open(part, "wb") as file:
                n_frames = _WRITERS[self.file_format](file, modality, COLUMNS[modality], clips)
            with open(part, "rb") as file:
                size, sha256 = size_and_sha256(file)
        os.replace(part, path)
        return MadeFile(name, modality, split, len(clips), n_frames, size, sha256)


def _side_by_side(
    jobs: Sequence[tuple[Task, Path]], num_proc: int, advance: Any
) -> list[Problem | None]:
    """What `make_clip` returns for each job, made in other processes."""
    with worker_processes(num_proc, _KILLED_ADVICE) as pool:
        futures = [pool.submit(make_clip, *job) for job in jobs]
        for future in concurrent.futures.as_completed(futures):
            future.result()
            advance(1)
    return [future.result() for future in futures]
