"""The files of the clips themselves."""

import collections
import os
from typing import Any

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError
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
                key = clip_key(path.replace(os.sep, "/"))
                self.addresses[modality, key].append(store.address_of(path))
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
        exact = [address for address in addresses if address.endswith(f"/{name}")]
        found = exact or addresses
        if len(found) > 1:
            raise IndoMERError(f"{name} is there twice: {', '.join(found)}. Remove all but one.")
        return {"bytes": None, "path": found[0]} if found else None
