"""What the operating system says: who runs us, and whether a file is ours alone."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

from licet.errors import StateError


def user_name() -> str:
    """The name of the user whose process this is, from the user database: `$LOGNAME` and `$USER` are anybody's word."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"user id {os.getuid()}"


def open_own(path: str | Path, flags: int, failure: type[StateError]) -> int:
    """A descriptor of a plain file that belongs to us and that nobody else can read or write; never through a link.

    Raises:
        StateError: of the kind `failure`; the file cannot be opened, or is not ours alone.
    """
    try:
        # O_NONBLOCK: a pipe in the file's place must not hold us up before it is seen for what it is.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = "is a link, and must be a plain file" if error.errno == errno.ELOOP else error.strerror
        raise failure(f"{path}: {why}; check the state folder's rights") from error
    try:
        check_own(path, os.fstat(descriptor), failure)
    except StateError:
        os.close(descriptor)
        raise
    return descriptor


def check_own(path: str | Path, found: os.stat_result, failure: type[StateError], *, folder: bool = False) -> None:
    """Whether what `found` says of a file (or folder) makes it ours alone.

    Raises:
        StateError: of the kind `failure`; it does not, and what to do.
    """
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(found.st_mode):
        raise failure(f"{path}: is not a plain {'folder' if folder else 'file'}; move it away")
    if found.st_uid != os.geteuid():
        raise failure(f"{path}: belongs to another user; choose another folder with `state=` or LICET_STATE")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise failure(f"{path}: can be read or written by others (mode {mode:04o}); run `chmod {'700' if folder else '600'}` on it")
