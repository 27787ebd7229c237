"""Bytes of files on disks and servers, and what lies in folders there.

A server that fails is asked again, few requests get many bytes, and a file that changes while it is
read is an error. Which error class is raised is handed in.
"""

from indomer_files.sources.file_objects import SourceFile
from indomer_files.sources.files import FileSource
from indomer_files.sources.opening import open_source
from indomer_files.sources.place import Place
from indomer_files.sources.store import Store, absolute, with_token

__all__ = [
    "FileSource",
    "Place",
    "SourceFile",
    "Store",
    "absolute",
    "open_source",
    "with_token",
]
