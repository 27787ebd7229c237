"""The files of the clips themselves."""

import collections
import itertools
import os
from typing import Any

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError
from indomer_files.label_texts import is_whole_text
from indomer_files.schema import MEDIA_ENDINGS
from indomer_files.sources import Store


class MediaFolder:
    """The files below a folder, by the clips they are named after.

    Args:
        folder: Any folder or fsspec address of one.
        storage_options: Keyword arguments of its file system.

    Raises:
        IndoMERError: There is no clip in it.
    """

    def __init__(self, folder: str, storage_options: dict[str, Any] | None = None) -> None:
        store, root = Store.of_address(folder, storage_options, IndoMERError)
        # (modality, clip) -> addresses.
        self.addresses: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for path in sorted(store.find(root)):
            modality = MEDIA_ENDINGS.get(os.path.splitext(path)[1].casefold())
            if modality is not None:
                self.addresses[modality, clip_key(path)].append(store.address_of(path))
        if not self.addresses:
            raise IndoMERError(
                f"media_dir {folder!r}: expected clips such as clip_1_Cooking_1.mp4 or .wav, found "
                f"none. Known endings: {', '.join(MEDIA_ENDINGS)}."
            )

    def of(self, modality: str, name: str) -> dict[str, Any] | None:
        """A `datasets.Video` or `datasets.Audio` value that is not decoded, or None."""
        addresses = self.addresses.get((modality, clip_key(name)), [])
        if not addresses and modality == "audio":
            return self.of("video", name)
        # The more folders of the name, the likelier is a file meant.
        parts = _parts(name)
        n_alike = {address: _n_alike(parts, _parts(address)) for address in addresses}
        found = [path for path in addresses if n_alike[path] == max(n_alike.values())]
        if len(found) > 1:
            raise IndoMERError(f"{name} is there twice: {', '.join(found)}. Remove all but one.")
        if found and not is_whole_text(found[0]):
            raise IndoMERError(
                f"{found[0]!r}: a path that is not UTF-8, which no table holds. Rename its folder."
            )
        return {"bytes": None, "path": found[0]} if found else None


def _parts(path: str) -> list[str]:
    """Folders and file of a path of whatever system."""
    return path.replace("\\", "/").split("/")


def _n_alike(one: list[str], other: list[str]) -> int:
    """How many parts are the same, from the last on."""
    pairs = zip(reversed(one), reversed(other))
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
