"""A source as the file object that libraries of formats read from."""

import io
import os
from typing import Any

from indomer_files.sources.files import FileSource


class SourceFile(io.RawIOBase):
    """Bytes of a source, read only. Each object has a place of its own, in forks, too.

    Args:
        source: Where bytes come from; closing this leaves it open.
    """

    def __init__(self, source: FileSource) -> None:
        super().__init__()
        self._source, self._place = source, 0
        self.name = source.name
        # What a read raised: some libraries replace it by words of their own.
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._source.size}[whence]
        if start + offset < 0:
            raise OSError(f"{self.name}: no place before the file's beginning")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        try:
            n_read = self._source.fill(self._place, memoryview(buffer).cast("B"))
        except Exception as error:
            self.error = error
            raise
        self._place += n_read
        return n_read
