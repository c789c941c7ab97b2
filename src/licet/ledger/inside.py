"""Writing below the ledger's folder, and never out of it: no folder on the way may be a link, or another's.

Who can put a link there must not have files written, or taken away, where he has no right to himself. Each folder is opened from the one
above, as POSIX `openat` does, so that none is exchanged between a look and a write.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.layout import BUNDLE
from licet.machine import check_own

OWN = (layout.LIVE, layout.HASHES, layout.ENTRIES)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = ".new"  # what is being written, before it has its name; so one that died leaves one at most


class Inside:
    """A ledger's folder, held open while the block lasts. Names are those of `layout.py`.

    Raises:
        LedgerError: it, or a folder in it, is not a plain folder of ours alone.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._root = -1

    def __enter__(self) -> Inside:
        try:
            self._root = os.open(self._path, _FOLDER)
        except OSError as error:
            raise self._told(error, "") from error
        try:
            check_own(self._path, os.fstat(self._root), LedgerError, folder=True)
            for name in OWN:
                with suppress(FileNotFoundError):
                    check_own(self._path / name, os.stat(name, dir_fd=self._root, follow_symlinks=False), LedgerError, folder=True)
        except BaseException:
            os.close(self._root)
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        os.close(self._root)

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Exchange a file whole; folders on the way to it are made. `durable`: also after a power cut, its name too.

        Raises:
            OSError: it cannot be written; then the old one stands.
        """
        with self._at(name, make=True) as (folder, last):
            with suppress(FileNotFoundError):
                os.unlink(_NEW, dir_fd=self._root)
            descriptor = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._root)
            try:
                try:
                    view = memoryview(data)
                    while view:
                        view = view[os.write(descriptor, view) :]
                    if durable:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                os.replace(_NEW, last, src_dir_fd=self._root, dst_dir_fd=folder)
                if durable:
                    os.fsync(folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(_NEW, dir_fd=self._root)
                raise

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with suppress(FileNotFoundError), self._at(name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def drop_partials(self, name: str) -> None:
        """Take away what was written of this tile before it was full, also by those who died before they could. Nothing else."""
        with suppress(FileNotFoundError), self._at(f"{name}.p/") as (partials, _):
            widths = [each for each in os.listdir(partials) if each in _WIDTHS]  # noqa: PTH208 - of the folder that is open
            for each in widths:
                os.unlink(each, dir_fd=partials)
            with self._at(f"{name}.p") as (folder, last), suppress(OSError):  # somebody has put something else there; it harms nobody
                os.rmdir(last, dir_fd=folder)

    def length(self, name: str) -> int:
        """How many bytes a plain file has; -1 if there is none."""
        try:
            with self._at(name) as (folder, last):
                found = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return -1
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    def sync(self, names: Iterable[str]) -> None:
        """Put files on the disk, and their names, and those of the folders that they stand in.

        Raises:
            OSError: one is missing, or the disk failed.
        """
        folders = set()
        for name in names:
            with self._at(name) as (folder, last):
                self._sync(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder))
            above = name
            while above := above.rpartition("/")[0]:
                folders.add(above)
        for each in folders:
            with self._at(f"{each}/") as (folder, _):
                os.fsync(folder)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _at(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a name stands in, and the last part of the name."""
        *folders, last = name.split("/")
        at = self._root
        try:
            for folder in folders:
                try:
                    below = os.open(folder, _FOLDER, dir_fd=at)
                except FileNotFoundError:
                    if not make:
                        raise
                    os.mkdir(folder, 0o700, dir_fd=at)
                    below = os.open(folder, _FOLDER, dir_fd=at)
                if at != self._root:
                    os.close(at)
                at = below
            yield at, last
        except OSError as error:
            raise self._told(error, name) from error
        finally:
            if at != self._root:
                os.close(at)

    def _told(self, error: OSError, name: str) -> Exception:
        where = self._path / name
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return LedgerError(f"{where}: a folder on the way is a link or no folder, and the ledger writes through none; move it away")
        return type(error)(error.errno, error.strerror, str(where))


_WIDTHS = frozenset(map(str, range(1, BUNDLE)))
