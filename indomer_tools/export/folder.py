"""The folder of an export: where it may be, what in it is ours, how it gets in its place.

Nothing is deleted but what an export wrote: files that have a name which an export gives, that the
manifest of an earlier one names, with the size that it tells; and such names in OUT.incomplete.
A manifest is input: whatever else it names stays, and no link is followed. What systems and clients
leave everywhere is nobody's work, but not ours either: it moves on to the new folder.
"""

import contextlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

import indomer
from indomer_files.errors import naming
from indomer_files.schema import CONFIGS, SPLITS
from indomer_tools.file_digest import size_and_sha256

MANIFEST = "manifest.json"

# Folder in OUT.incomplete with one file for each finished shard: what the manifest will say of it.
FINISHED = ".finished"

# Ending of a file that is being written.
PART = ".part"
_ANY_PART = re.compile(r"(\.[0-9]+-[0-9a-f]+)?\.part$")

# All files that an export has, and what else may be in OUT.incomplete.
_SHARD = (
    r"[37]_class{0}(split=(?:train|validation){0})?(?:train|validation)"
    r"-[0-9]{{5,}}-of-[0-9]{{5,}}\.parquet"
)
_EXPORTED = re.compile(
    rf"data/{_SHARD.format('/')}|[37]_class\.(csv|jsonl)|assets/[a-z_]+\.png|README\.md|dataset_infos\.json|"
    r"croissant\.json|manifest\.json"
)
_BESIDE = re.compile(rf"\.finished/data\.{_SHARD.format('[.]')}\.json")

# What systems (macOS, Windows, KDE, Synology) and clients of the Hub leave in any folder.
_CLUTTER = re.compile(
    r"(.*/)?((?i:\.DS_Store|Thumbs\.db|desktop\.ini)|\._[^/]+|\.directory|@eaDir/.*)|"
    r"\.cache/(huggingface/.*)?"
)

# In names of folders, what `datasets.load_dataset` takes for patterns or for two addresses.
_PATTERN_SIGNS = ("*", "?", "[", "]", "::")

# All folders of an export, those in others first.
_FOLDERS = (
    *(f"data/{config}/split={split}" for config in CONFIGS for split in SPLITS),
    *("data/3_class", "data/7_class", "data", "assets", FINISHED, "."),
)

# What Windows calls a folder that is another one, or a disk; Python before 3.12 takes it for one.
_MOUNT_POINT = 0xA0000003


def part_of(path: Path) -> Path:
    """Where to write a file that is renamed when it is whole; another place for each writer.

    A cluster may have one shard written twice at once, where it takes a living node for dead.
    """
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is either there as a whole or not at all. A link there is replaced."""
    part = part_of(path)
    try:
        with naming(part):
            part.write_bytes(content)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, as `write_file` does."""
    write_file(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def incomplete(out: Path) -> Path:
    """Where an export is made."""
    return out.with_name(out.name + ".incomplete")


def _replaced(out: Path) -> Path:
    """Where an earlier export waits for the new one to be in its place."""
    return out.with_name(out.name + ".replaced")


def check_place(out: str | os.PathLike[str], release: indomer.Release) -> Path:
    """Return OUT as an absolute path.

    Raises:
        IndoMERError: It is the release, or in it; it is no place for a folder; or it is one that
            `datasets` could not load.
    """
    if "://" in os.fspath(out):
        raise indomer.IndoMERError(
            f"{os.fspath(out)}: expected a folder on a local or mounted disk. Export to one and "
            "copy it, or push it to the Hub with push_to."
        )
    path = Path(out).expanduser().resolve()
    _check_loadable(path)
    if isinstance(release.fs, LocalFileSystem):
        root = Path(release.root).resolve()
        if path == root or root in path.parents:
            raise indomer.IndoMERError(
                f"{path}: this is in the release ({root}). Export to a folder outside of it."
            )
    if path.exists() and not path.is_dir():
        raise indomer.IndoMERError(f"{path}: this is a file. Export to another folder.")
    return path


def _check_loadable(path: Path) -> None:
    """Raise IndoMERError if `load_dataset` would find no files in this folder, or other ones."""
    names = "/".join(path.relative_to(path.anchor).parts)
    signs = [sign for sign in _PATTERN_SIGNS if sign in names]
    if signs:
        raise indomer.IndoMERError(
            f"{path}: load_dataset takes {signs[0]!r} in the path of a folder for a pattern of "
            f"names. Export to a folder without {', '.join(_PATTERN_SIGNS)} in its path."
        )
    try:
        names.encode()
    except UnicodeEncodeError as error:
        raise indomer.IndoMERError(
            f"{path}: the path is no text in UTF-8. Export to a folder of another name."
        ) from error


def recover(out: Path) -> None:
    """Finish what `put_in_place` had begun when it was killed."""
    replaced = _replaced(out)
    _check_own_folder(replaced)
    if not replaced.exists():
        return
    if out.exists():
        _remove_replaced(out)
    elif not _found(replaced):
        _remove_folders(replaced)
    elif _told(replaced) is None:
        raise indomer.IndoMERError(f"{replaced}: this folder is in the way. Move it away.")
    else:
        replaced.rename(out)


def check_replaceable(out: Path) -> None:
    """Raise IndoMERError unless OUT is not there, empty, or an export that nobody changed."""
    found = [name for name in _found(out) if not _CLUTTER.fullmatch(name)]
    if not found:
        return
    entries = _told(out)
    advice = "Move it away, or export to another folder."
    if entries is None:
        raise indomer.IndoMERError(f"{out}: this folder is there and not an export. {advice}")
    others = [name for name in found if name not in entries and name != MANIFEST]
    if others:
        raise indomer.IndoMERError(
            f"{out}: {len(others)} files in this export are not from it (first: {others[0]!r}). "
            f"Nothing is deleted. {advice}"
        )
    changed = [
        name for name in found if name in entries and not _is_as_told(out, name, *entries[name])
    ]
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
    _check_own_folder(folder)
    found = [name for name in _found(folder) if not _CLUTTER.fullmatch(name)]
    is_ours = (folder / FINISHED).is_dir() or _told(folder) is not None
    others = [name for name in found if not (_is_made(name) and _is_file(folder, name))]
    if found and (others or not is_ours):
        raise indomer.IndoMERError(
            f"{folder}: in this folder {len(others or found)} files are not from an export (first: "
            f"{(others or found)[0]!r}). Move them away."
        )
    # First of all, since it is what tells that the rest is ours.
    (folder / FINISHED).mkdir(parents=True, exist_ok=True)
    keep = set(wanted)
    _remove(folder, [name for name in found if name not in keep and not name.startswith(FINISHED)])


def put_in_place(out: Path) -> None:
    """Make OUT.incomplete OUT. Killed at any moment, the old or the new one is there as a whole.

    Between two renames it may be called OUT.replaced; `recover` puts it back.
    """
    folder, replaced = incomplete(out), _replaced(out)
    # Once more: the export took its time.
    check_replaceable(out)
    _check_own_folder(replaced)
    _remove(folder, [name for name in _found(folder) if name.startswith(FINISHED)])
    if out.exists():
        out.rename(replaced)
    folder.rename(out)
    if replaced.exists():
        _remove_replaced(out)


def _check_own_folder(folder: Path) -> None:
    """Raise IndoMERError if one of the folders beside OUT is a link, or no folder."""
    if os.path.lexists(folder) and (_is_link(folder) or not folder.is_dir()):
        raise indomer.IndoMERError(
            f"{folder}: this is a link or a file. An export makes a folder of this name, and "
            "deletes it. Move the link or file away."
        )


def _remove_replaced(out: Path) -> None:
    """Remove OUT.replaced when OUT is in its place; raise IndoMERError if there is more in it."""
    folder = _replaced(out)
    check_replaceable(folder)
    for name in _found(folder):
        if _CLUTTER.fullmatch(name):
            _move(folder, out, name)
    # The manifest last: as long as it is there, this can be taken up again.
    _remove(folder, [*(_told(folder) or ()), MANIFEST])
    _remove_folders(folder)


def _move(folder: Path, out: Path, name: str) -> None:
    """Move a file on to OUT, unless there is a newer one; empty folders are gone."""
    if not name.endswith("/"):
        if os.path.lexists(out / name):
            (folder / name).unlink()
        else:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).rename(out / name)
    _remove_empty(folder, [Path(name), *Path(name).parents])


def _remove_folders(folder: Path) -> None:
    """Remove the empty folders of an export: Python may have been killed before it did."""
    _remove_empty(folder, map(Path, _FOLDERS))


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files of an export, and the folders that they were in if these are empty now."""
    parents: set[Path] = set()
    for name in names:
        if _is_made(name) and _is_file(folder, name):
            (folder / name).unlink()
            parents.update(Path(name).parents)
    _remove_empty(folder, parents)


def _remove_empty(folder: Path, names: Iterable[Path]) -> None:
    """Remove folders in which nothing is; links and whatever else there is stay."""
    for name in sorted(names, key=lambda name: -len(name.parts)):
        with contextlib.suppress(OSError):
            (folder / name).rmdir()


def is_exported(name: object) -> bool:
    """Whether an export can have a file of this name."""
    return isinstance(name, str) and _EXPORTED.fullmatch(name) is not None


def _is_made(name: str) -> bool:
    """Whether an export may have left a file of this name in OUT.incomplete."""
    whole = _ANY_PART.sub("", name)
    return is_exported(whole) or _BESIDE.fullmatch(whole) is not None


def _told(folder: Path) -> dict[str, tuple[Any, Any]] | None:
    """File -> size and sha256 that the manifest tells of it; None if the folder is no export.

    Raises:
        IndoMERError: The manifest names what no export writes.
    """
    if not _is_file(folder, MANIFEST):
        return None
    with naming(folder / MANIFEST):
        content = (folder / MANIFEST).read_bytes()
    try:
        manifest = json.loads(content)
        if manifest["loader"]["name"] != "indomer":
            return None
        entries = [*manifest["files"], *manifest.get("card", [])]
        told = {entry["file"]: (entry["size"], entry["sha256"]) for entry in entries}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    for name in told:
        if not is_exported(name):
            raise indomer.IndoMERError(
                f"{folder / MANIFEST}: names {name!r}, which is no file of an export. Nothing is "
                f"deleted. Move {folder} away."
            )
    return told


def _found(folder: Path) -> list[str]:
    """All that lies below a folder, as relative paths: files, links, empty folders of others."""
    found = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        links = [name for name in folders if _is_link(Path(parent, name))]
        folders[:] = [name for name in folders if name not in links]
        here = Path(parent).relative_to(folder)
        found += [(here / name).as_posix() for name in (*names, *links)]
        if not (folders or names or links or here.as_posix() in _FOLDERS):
            found.append(f"{here.as_posix()}/")
    return sorted(found)


def _raise(error: OSError) -> None:
    # A folder that is not there has no files; one that cannot be listed may have some.
    if not isinstance(error, FileNotFoundError):
        raise error


def _is_link(path: Path) -> bool:
    state = path.lstat()
    return stat.S_ISLNK(state.st_mode) or getattr(state, "st_reparse_tag", 0) == _MOUNT_POINT


def _is_file(folder: Path, name: str) -> bool:
    """Whether this is a file, and neither it nor a folder on the way to it is a link."""
    try:
        if any(_is_link(folder / parent) for parent in Path(name).parents):
            return False
        return stat.S_ISREG((folder / name).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


# Bytes up to which a file is compared by content, not size alone: the card, which people edit.
_COMPARED_BYTES = 4 << 20


def _is_as_told(folder: Path, name: str, size: object, sha256: object) -> bool:
    path = folder / name
    if not _is_file(folder, name) or path.stat().st_size != size:
        return False
    if path.stat().st_size > _COMPARED_BYTES:
        return True
    with naming(path), open(path, "rb") as file:
        return size_and_sha256(file) == (size, sha256)
