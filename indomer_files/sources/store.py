"""Folders and small files of any fsspec file system."""

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from fsspec.asyn import reset_lock
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

logger = logging.getLogger(__name__)

# In a forked process, older fsspec (2025.3, which datasets 3.6 asks for) waits forever for a thread
# that is not there any more.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_lock)

# Seconds before the second, third... attempt to read from a server.
RETRY_PAUSES: tuple[float, ...] = (0.5, 1, 2, 4)

CHANGED_ADVICE = "Open it again when it is complete."

# What another attempt would not change.
_NOT_TRIED_AGAIN = (
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    ImportError,
    TypeError,
    ValueError,
)

# What file systems call that which tells a version of a file: something made of its content, or the
# time when it was written. The first that there is counts.
_VERSION_KEYS = (
    "ETag", "etag", "blob_id", "md5Hash", "content_md5", "Content-MD5", "Digest", "CRC",
    "mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified", "created",
)  # fmt: skip

# What the system calls a file that a network share no longer knows under its old handle.
_STALE = errno.ESTALE if hasattr(errno, "ESTALE") else None

# What is no fault of a disk: callers know what it means.
_PLAIN_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)

Answer = TypeVar("Answer")

# Size in bytes, and what tells the version.
Identity = tuple[int | None, list[tuple[str, str]]]


def absolute(address: str | os.PathLike[str]) -> str:
    """A folder that stays the same when the working directory changes; addresses as they are."""
    address = os.fspath(address)
    is_address = "://" in address or "::" in address
    return address if is_address else os.path.abspath(os.path.expanduser(address))


def disk_error(path: str, reason: OSError, error: type[Exception]) -> Exception:
    """What to raise where the system could not read a file: an `error` that names it.

    Raises:
        OSError: What callers know how to take, such as that there is no such file.
    """
    if isinstance(reason, _PLAIN_ERRORS):
        raise reason
    if reason.errno == _STALE:
        advice = "The file was replaced on its server: load again, or mount the share again."
    else:
        advice = "See to the disk or network share, or copy the files elsewhere, and try again."
    return error(f"{path}: could not be read: {reason.strerror or reason}. {advice}")


def with_token(
    options: Mapping[str, Any] | None, token: bool | str | None, *addresses: object
) -> dict[str, Any] | None:
    """Options of file systems with the token for the Hub, where all servers are the Hub.

    Args:
        options: Keyword arguments of the file systems of the addresses, or None.
        token: Of the Hub; it goes to no other server.
        addresses: Folders, addresses and None.
    """
    servers = [str(address) for address in addresses if "://" in str(address)]
    if token is None or not servers or not all(map(_is_on_hub, servers)):
        return None if options is None else dict(options)
    return {"token": token, **(options or {})}


def _is_on_hub(address: str) -> bool:
    return address.startswith("hf://")


def _with_proxies(address: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options by which web servers are reached by the proxies of http_proxy and https_proxy.

    All else asks for them by itself: `requests`, `httpx`, `botocore`.
    """
    parts = address.split("::")
    for place, part in enumerate(parts):
        protocol = part.partition("://")[0]
        if protocol in ("http", "https"):
            # What is not the first of a chain gets its options by its name.
            own = options if place == 0 else options.get(protocol, {})
            client = {"trust_env": True, **own.get("client_kwargs", {})}
            own = {**own, "client_kwargs": client}
            options = own if place == 0 else {**options, protocol: own}
    return options


class Store:
    """A file system that is asked again where a server, or the way to it, failed.

    Args:
        fs: The fsspec file system.
        error: Raised for what the user can act upon.
    """

    def __init__(self, fs: AbstractFileSystem, error: type[Exception]) -> None:
        self.fs, self.error = fs, error
        self.is_local = isinstance(fs, LocalFileSystem)

    @classmethod
    def of_address(
        cls, address: str, options: dict[str, Any] | None, error: type[Exception]
    ) -> tuple["Store", str]:
        """The file system of an address, and the path in it.

        Args:
            address: A path, or an address such as "s3://bucket/folder".
            options: Keyword arguments of the file system, such as credentials.
            error: As for the class.
        """
        try:
            fs, path = url_to_fs(address, **_with_proxies(address, options or {}))
        except ImportError as reason:
            raise error(
                f"{address}: {reason}. Install what reads such addresses: aiohttp for https://, "
                "s3fs for s3://."
            ) from reason
        return cls(fs, error), path

    def has_protocol(self, protocol: str) -> bool:
        """Whether addresses of this file system may begin with "protocol://"."""
        known = self.fs.protocol
        return protocol in ((known,) if isinstance(known, str) else known)

    def read(self, path: str) -> bytes:
        """All bytes of a small file."""
        content: bytes = self._query_file(self.fs.cat_file, path)
        return content

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder.

        Raises:
            Exception: `error`: the disk does not say.
        """
        if not self.is_local:
            return bool(self._query(self.fs.exists, path))
        return self._local_kind(path) is not None

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder.

        Raises:
            Exception: `error`: the disk does not say.
        """
        if not self.is_local:
            return bool(self.fs.isdir(path))
        return self._local_kind(path) == "directory"

    def is_file(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self.fs.isfile(path))

    def is_web_file(self, path: str) -> bool:
        """Whether a web server has something else than a page there, such as a list of files."""
        try:
            kind = self._query(self.fs.info, path).get("mimetype")
        except FileNotFoundError:
            return False
        return kind is not None and not kind.startswith("text/html")

    def path_of(self, address: str) -> str:
        """The path of an address of this file system."""
        return str(self.fs._strip_protocol(address))

    def names(self, folder: str) -> set[str] | None:
        """Names of what lies in a folder; none if it is not there, None if it may not be listed.

        Raises:
            Exception: `error`: the folder is there, and cannot be read.
        """
        try:
            paths = self._query(lambda path: self.fs.ls(path, detail=False), folder)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except (PermissionError, NotImplementedError):
            return None
        except OSError as reason:
            raise self._unreadable(folder, reason) from reason
        return {path.rstrip("/").rsplit("/", 1)[-1] for path in paths}

    def find(self, folder: str) -> list[str]:
        """Paths of all files below a folder; on a disk, also below those that it links to."""
        if not self.is_local:
            return list(self._query(self.fs.find, folder))
        try:
            return _find(folder)
        except OSError as reason:
            raise self.error(
                f"{reason.filename}: {reason.strerror}. Pass a folder that you may read."
            ) from reason

    def identity(self, path: str) -> Identity | None:
        """What tells a file from a changed one, or None where it is gone."""
        try:
            info = self._query_file(self.fs.info, path)
        except FileNotFoundError:
            return None
        # Not all of it: a server says more of one file than of the same one in a list.
        told = [(key, str(info[key])) for key in _VERSION_KEYS if info.get(key) is not None]
        return info.get("size"), told[:1]

    def _local_kind(self, path: str) -> str | None:
        """What lies at a path of a disk; None if nothing does."""
        try:
            return str(self.fs.info(path)["type"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as reason:
            raise self._unreadable(path, reason) from reason

    def _unreadable(self, path: str, reason: OSError) -> Exception:
        return self.error(
            f"{path}: {reason.strerror or reason}, so nobody can tell what is there. Give the user "
            "who runs this the right to read it, or see to the disk, and try again."
        )

    def address_of(self, path: str) -> str:
        """What `fsspec.open` and users call a path of this file system."""
        return path if self.is_local else str(self.fs.unstrip_protocol(path))

    def _query(self, question: Callable[[str], Answer], path: str) -> Answer:
        return question(path) if self.is_local else self.retry(path, question, path)

    def _query_file(self, question: Callable[[str], Answer], path: str) -> Answer:
        """The same for a file, where a disk that fails is an error that names it."""
        try:
            return self._query(question, path)
        except OSError as reason:
            if not self.is_local:
                raise
            raise disk_error(path, reason, self.error) from reason

    def retry(self, path: str, read: Callable[..., Answer], *args: Any) -> Answer:
        """`read(*args)`, once more after each pause where a server or the way to it failed."""
        for pause in RETRY_PAUSES:
            try:
                return read(*args)
            except Exception as error:  # The library of each server has errors of its own.
                reason = self._reason_to_retry(path, error)
                # Servers choose these words; an error's message is one that terminals may show.
                words = f"{path}: {str(reason) or repr(reason)}; trying again in {pause} s."
                logger.warning("%s", self.error(words))
            time.sleep(pause)
        try:
            return read(*args)
        except Exception as error:
            reason = self._reason_to_retry(path, error)
            raise self.error(
                f"{path}: could not be read in {len(RETRY_PAUSES) + 1} attempts (the last: "
                f"{type(reason).__name__}: {reason}). Check the address, the network and the "
                f"server, and try again."
            ) from error

    def _raise_if_denied(self, path: str, error: Exception, status: int | None) -> None:
        """Raise where the Hub keeps a repository from whoever asks."""
        kinds = {kind.__name__ for one in _causes(error) for kind in type(one).__mro__}
        status = status or next(filter(None, map(_status, _causes(error))), None)
        if "GatedRepoError" in kinds:
            words = "the repository is gated. Ask for access on its page, and then"
        elif "RevisionNotFoundError" in kinds:
            raise self.error(
                f"hf://{path}: the repository has no such revision. Correct what comes after the @."
            ) from error
        elif "RepositoryNotFoundError" in kinds:
            words = "there is no such repository, or it is private. Check its name, or"
        elif status == 401:
            words = "the Hub does not know this token. Correct it, or"
        elif status == 403:
            words = "this token may not read the repository. For one that may,"
        elif "OfflineModeIsEnabled" in kinds:
            raise self.error(
                f"hf://{path}: HF_HUB_OFFLINE is set. Unset it, or download the files and pass "
                "their folder."
            ) from error
        else:
            return
        raise self.error(
            f"hf://{path}: {words} log in (hf auth login) or pass a token: token='hf_...'."
        ) from error

    def _reason_to_retry(self, path: str, error: Exception) -> BaseException:
        """What went wrong, if another attempt may help; else raise what the user should see."""
        reason: BaseException = error
        cause = error.__cause__
        if cause is not None and type(cause).__module__.startswith("aiohttp"):
            # fsspec says of any failure to look at a file that there is none.
            reason = cause
        status = _status(reason)
        if self.has_protocol("hf"):
            self._raise_if_denied(path, error, status)
        if status == 412 or type(error).__name__ == "FileExpired":
            name = os.path.basename(str(path))
            raise self.error(
                f"{name}: the file changed on the server while it was read. {CHANGED_ADVICE}"
            ) from error
        if status is not None and status < 500 and status not in (408, 425, 429):
            if isinstance(error, OSError):
                raise error
            raise PermissionError(f"{path}: the server answered {status}") from error
        if isinstance(reason, _NOT_TRIED_AGAIN):
            raise error
        return reason


def _status(error: BaseException) -> int | None:
    """The status that a web server answered, or None."""
    status = getattr(error, "status", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    return status if isinstance(status, int) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _find(folder: str) -> list[str]:
    """Paths of all files below a folder; each folder once, however many links lead to it."""
    paths: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting: list[str] = [folder]
    linked: list[str] = []
    # Links last: what is there under its own name is called so.
    while waiting or linked:
        here = waiting.pop() if waiting else linked.pop()
        stat = os.stat(here)
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(here) as entries:
            for entry in entries:
                if not entry.is_dir():
                    paths.append(entry.path)
                elif entry.is_symlink():
                    linked.append(entry.path)
                else:
                    waiting.append(entry.path)
        linked.sort(reverse=True)
    return paths
