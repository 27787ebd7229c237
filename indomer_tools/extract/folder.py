"""Where features are made: OUT.incomplete, which becomes OUT when all of them are there.

    OUT.incomplete/made_by_indomer_features     says that the rest is ours
    OUT.incomplete/clips/<identity>.npy         features of one clip
    OUT.incomplete/features/                    what becomes OUT
    OUT.incomplete/problems.txt                 what kept it from becoming OUT

Only files of such names are deleted, and only there. What is in OUT is never replaced.
"""

import contextlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import indomer
from indomer_tools.export.folder import MANIFEST, incomplete, part_of, write_json

# Format -> ending of its files.
ENDINGS = {"safetensors": ".safetensors", "pickle": ".pkl"}

_MARK = "made_by_indomer_features"
_CLIPS, _FEATURES, _PROBLEMS = "clips", "features", "problems.txt"
_FEATURE_FILE = re.compile(
    r"(?P<modality>audio|video)_feature/((train|val)_)?(?P=modality)_features\.(safetensors|pkl)"
)
_OURS = re.compile(
    rf"({_MARK}|{re.escape(_PROBLEMS)}|{_CLIPS}/[0-9a-f]{{40}}\.npy|"
    rf"{_FEATURES}/(manifest\.json|{_FEATURE_FILE.pattern}))(\.[0-9]+-[0-9a-f]+\.part)?"
)
# Folders of ours, those in others first.
_FOLDERS = (
    *(f"{_FEATURES}/{modality}_feature" for modality in ("audio", "video")),
    *(_FEATURES, _CLIPS, "."),
)


class WorkFolder:
    """OUT.incomplete.

    Args:
        out: OUT, as an absolute path.

    Raises:
        IndoMERError: Something else has its name, or lies in it.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, incomplete(out)
        self.features = self.path / _FEATURES
        if os.path.lexists(self.path) and (self.path.is_symlink() or not self.path.is_dir()):
            raise indomer.IndoMERError(
                f"{self.path}: this is a link or a file, where a folder of this name is made, and "
                "deleted in the end. Move it away."
            )
        found = _found(self.path)
        others = [name for name in found if not _OURS.fullmatch(name)]
        if found and (others or _MARK not in found):
            others = others or found
            raise indomer.IndoMERError(
                f"{self.path}: {len(others)} files in this folder are not from the making of "
                f"features (first: {others[0]!r}). Move them away."
            )

    def begin(self, identities: Collection[str]) -> None:
        """Make the folder, or take over what a killed run left; what is not wanted is gone."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / _MARK).touch()
        keep = {_MARK, *(f"{_CLIPS}/{identity}.npy" for identity in identities)}
        self._remove(name for name in _found(self.path) if name not in keep)
        (self.path / _CLIPS).mkdir(exist_ok=True)

    def clip_path(self, identity: str) -> Path:
        """Where the features of a clip are."""
        return self.path / _CLIPS / f"{identity}.npy"

    def has_clip(self, identity: str, n_values: int) -> bool:
        """Whether the features of a clip are there as a whole."""
        frames: np.typing.NDArray[np.float32]
        try:
            frames = np.load(self.clip_path(identity), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            return False
        return frames.dtype == np.float32 and frames.shape[1:] == (n_values,)

    def write_problems(self, lines: Iterable[str]) -> Path:
        """Write the whole report; return its path."""
        path = self.path / _PROBLEMS
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8", "backslashreplace")
        return path

    def put_in_place(self) -> None:
        """Make what is in `features` OUT, and remove the rest."""
        check_free(self.out)
        if self.out.exists():
            self.out.rmdir()
        self.features.rename(self.out)
        self.remove()

    def remove(self) -> None:
        """Remove all that is ours; the mark last, so that a killed removal can be taken up."""
        names = _found(self.path)
        self._remove(sorted(names, key=lambda name: name == _MARK))

    def _remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            (self.path / name).unlink()
        for folder in _FOLDERS:
            # Those that are not empty stay.
            with contextlib.suppress(OSError):
                (self.path / folder).rmdir()


def check_place(out: str | os.PathLike[str]) -> Path:
    """OUT as an absolute path; IndoMERError unless it is a place for a folder."""
    if "://" in os.fspath(out):
        raise indomer.IndoMERError(
            f"{os.fspath(out)}: expected a folder on a local or mounted disk. Make the features "
            "there and copy them."
        )
    path = Path(os.path.abspath(os.path.expanduser(out)))
    if path.exists() and not path.is_dir():
        raise indomer.IndoMERError(f"{path}: this is a file. Choose another folder.")
    return path


def check_free(out: Path) -> None:
    """Raise IndoMERError if there is anything in OUT."""
    if out.exists() and any(out.iterdir()):
        first = min(path.name for path in out.iterdir())
        raise indomer.IndoMERError(
            f"{out}: this folder is not empty (first: {first!r}), and nothing in it is replaced. "
            "Move it away, or choose another folder."
        )


def read_manifest(out: Path, identity: str) -> dict[str, Any] | None:
    """What the manifest in OUT says, where all is there that this call would make; else None."""
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        if manifest["identity"] != identity or not manifest["files"]:
            return None
        for entry in manifest["files"]:
            is_ours = _FEATURE_FILE.fullmatch(entry["file"])
            if not is_ours or (out / entry["file"]).stat().st_size != entry["size"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    assert isinstance(manifest, dict)
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest into a folder."""
    write_json(folder / MANIFEST, manifest)


def save_clip(path: Path, frames: "np.typing.NDArray[np.float32]") -> None:
    """Write the features of a clip, which are there as a whole or not at all."""
    part = part_of(path)
    try:
        with open(part, "wb") as file:
            np.save(file, frames, allow_pickle=False)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _found(folder: Path) -> list[str]:
    """All that lies below a folder, as relative paths: files, links, folders of others."""
    found = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        here = Path(parent).relative_to(folder)
        strange = [
            name
            for name in folders
            if (here / name).as_posix() not in _FOLDERS or Path(parent, name).is_symlink()
        ]
        folders[:] = [name for name in folders if name not in strange]
        found += [f"{(here / name).as_posix()}/" for name in strange]
        for name in names:
            is_file = stat.S_ISREG(Path(parent, name).lstat().st_mode)
            # A name that no file of ours has.
            found.append((here / name).as_posix() + ("" if is_file else "@"))
    return sorted(found)


def _raise(error: OSError) -> None:
    # A folder that is not there has no files; one that cannot be listed may have some.
    if not isinstance(error, FileNotFoundError):
        raise error
