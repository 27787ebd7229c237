"""The folder of an export: who may write to it, what in it is ours, how it gets in its place.

Nothing is deleted but what an export wrote: files that the manifest of an earlier one names, with
the size that it tells, and the known names in OUT.incomplete.
"""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import filelock
from fsspec.implementations.local import LocalFileSystem

import indomer
from indomer_tools.file_digest import size_and_sha256

MANIFEST = "manifest.json"

# Folder in OUT.incomplete with one file for each finished shard: what the manifest will say of it.
FINISHED = ".finished"

# Ending of a file that is being written.
PART = ".part"
_ANY_PART = re.compile(r"(\.[0-9]+-[0-9a-f]+)?\.part$")

# What an export may have left in OUT.incomplete.
_OURS = re.compile(
    r"data/[37]_class/(train|validation)-[0-9]{5}-of-[0-9]{5}\.parquet|"
    r"assets/[^/]+\.png|README\.md|dataset_infos\.json|croissant\.json|manifest\.json|"
    r"\.finished/[^/]+\.json"
)


def part_of(path: Path) -> Path:
    """Where to write a file that is renamed when it is whole; another place for each writer.

    A cluster may have one shard written twice at once, where it takes a living node for dead.
    """
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")


def write_json(path: Path, value: object) -> None:
    """Write a file that is either there as a whole or not at all."""
    part = part_of(path)
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    try:
        part.write_bytes(text.encode())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def incomplete(out: Path) -> Path:
    """Where an export is made."""
    return out.with_name(out.name + ".incomplete")


def _replaced(out: Path) -> Path:
    """Where an earlier export waits for the new one to be in its place."""
    return out.with_name(out.name + ".replaced")


def check_place(out: str | os.PathLike[str], release: indomer.Release) -> Path:
    """Return OUT as an absolute path.

    Raises:
        IndoMERError: It is the release, or in it; or it is no place for a folder.
    """
    if "://" in os.fspath(out):
        raise indomer.IndoMERError(
            f"{os.fspath(out)}: expected a folder on a local or mounted disk. Export to one and "
            "copy it, or push it to the Hub with push_to."
        )
    path = Path(out).expanduser().resolve()
    if isinstance(release.fs, LocalFileSystem):
        root = Path(release.root).resolve()
        if path == root or root in path.parents:
            raise indomer.IndoMERError(
                f"{path}: this is in the release ({root}). Export to a folder outside of it."
            )
    if path.exists() and not path.is_dir():
        raise indomer.IndoMERError(f"{path}: this is a file. Export to another folder.")
    return path


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Context in which no other process exports to OUT.

    The file of the lock stays: to delete it would let two others hold "the" lock at once.

    Raises:
        IndoMERError: Another process does.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(out.with_name(f".{out.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise indomer.IndoMERError(
            f"{out}: another process is exporting to this folder. Wait for it, or export to "
            "another one."
        ) from None
    try:
        yield
    finally:
        lock.release()


def recover(out: Path) -> None:
    """Finish what `put_in_place` had begun when it was killed."""
    replaced = _replaced(out)
    if not replaced.exists():
        return
    names = _named(replaced)
    if names is None:
        raise indomer.IndoMERError(f"{replaced}: this folder is in the way. Move it away.")
    if out.exists():
        remove(replaced, [*names, MANIFEST])
    else:
        replaced.rename(out)


def check_replaceable(out: Path) -> None:
    """Raise IndoMERError unless OUT is not there, empty, or an export that nobody changed."""
    found = _files(out)
    if not found:
        return
    names = _named(out)
    advice = "Move it away, or export to another folder."
    if names is None:
        raise indomer.IndoMERError(f"{out}: this folder is there and not an export. {advice}")
    others = sorted(set(found) - {*names, MANIFEST})
    if others:
        raise indomer.IndoMERError(
            f"{out}: {len(others)} files in this export are not from it (first: {others[0]!r}). "
            f"Nothing is deleted. {advice}"
        )
    changed = [name for name in found if name in names and not _is_as_told(out, name, names[name])]
    if changed:
        raise indomer.IndoMERError(
            f"{out}: {len(changed)} files in this export were changed (first: {changed[0]!r}). "
            f"Nothing is overwritten. {advice}"
        )


def begin(folder: Path, wanted: Iterable[str]) -> None:
    """Make OUT.incomplete, or take over what a killed export left of it.

    Args:
        folder: OUT.incomplete.
        wanted: Files that may be kept; others, of other options or a half-written card, are gone.

    Raises:
        IndoMERError: Something is there that no export wrote.
    """
    found = _files(folder)
    is_ours = (folder / FINISHED).is_dir() or _named(folder) is not None
    others = [name for name in found if not _OURS.fullmatch(_ANY_PART.sub("", name))]
    if found and (others or not is_ours):
        raise indomer.IndoMERError(
            f"{folder}: in this folder {len(others or found)} files are not from an export (first: "
            f"{(others or found)[0]!r}). Move them away."
        )
    # First of all, since it is what tells that the rest is ours.
    (folder / FINISHED).mkdir(parents=True, exist_ok=True)
    keep = set(wanted)
    stale = [name for name in found if name not in keep and not name.startswith(FINISHED)]
    remove(folder, stale)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files, and the folders that they were in if these are empty now."""
    parents: set[Path] = set()
    for name in names:
        (folder / name).unlink(missing_ok=True)
        parents.update(Path(name).parents)
    for parent in sorted(parents, key=lambda parent: -len(parent.parts)):
        # Whatever else is in it stays.
        with contextlib.suppress(OSError):
            (folder / parent).rmdir()


def put_in_place(out: Path) -> None:
    """Make OUT.incomplete OUT. Killed at any moment, the old or the new one is there as a whole.

    Between two renames it may be called OUT.replaced; `recover` puts it back.
    """
    folder, replaced = incomplete(out), _replaced(out)
    # Once more: the export took its time.
    check_replaceable(out)
    remove(folder, [name for name in _files(folder) if name.startswith(FINISHED)])
    if out.exists():
        out.rename(replaced)
    folder.rename(out)
    if replaced.exists():
        remove(replaced, [*(_named(replaced) or ()), MANIFEST])


def _named(folder: Path) -> "dict[str, dict[str, Any]] | None":
    """File -> what the manifest tells of it; None if the folder is no export."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["loader"]["name"] != "indomer":
            return None
        return {entry["file"]: entry for entry in manifest["files"] + manifest.get("card", [])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(folder: Path) -> list[str]:
    """All files below a folder, and whatever else is no folder, as relative paths."""
    return sorted(
        Path(parent, name).relative_to(folder).as_posix()
        for parent, folders, names in os.walk(folder)
        for name in [*names, *(one for one in folders if Path(parent, one).is_symlink())]
    )


# Bytes up to which a file is compared by content, not size alone: the card, which people edit.
_COMPARED_BYTES = 4 << 20


def _is_as_told(folder: Path, name: str, entry: dict[str, Any]) -> bool:
    path = folder / name
    if path.is_symlink() or path.stat().st_size != entry["size"]:
        return False
    if entry["size"] > _COMPARED_BYTES:
        return True
    with open(path, "rb") as file:
        return size_and_sha256(file) == (entry["size"], entry["sha256"])
