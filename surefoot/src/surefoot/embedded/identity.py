"""Identity is the user that PostgreSQL runs as; it refuses to run as root.

An ordinary user runs it as itself. Root takes the first of these that can enter the folders. No
user is added, and no mode outside the server's folder changes.

1. the owner of an existing data folder, if that is not root
2. root itself in a user namespace, where it appears as `nobody`: root keeps the files
3. the owner of the parent folder: a developer's checkout under sudo
4. the real `nobody`, where namespaces are forbidden
"""

import contextlib
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from surefoot.frozen import dataclass

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Identity:
    """A user to run as: a real one, or the one that root appears as in a namespace."""

    uid: int
    gid: int
    namespace: bool = False

    def enter(self) -> None:
        """Become this user. Only a forked child calls this, before it executes a program."""
        if not self.namespace:
            if (os.geteuid(), os.getegid()) == (self.uid, self.gid):
                return
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)
            return
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        if _libc().unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
        # A process may map its own group only after it gave up setgroups().
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{self.uid} {outer_uid} 1")
        _write("/proc/self/gid_map", f"{self.gid} {outer_gid} 1")

    def own(self, path: Path) -> None:
        """Give a folder and everything in it to this user."""
        uid, gid = (os.geteuid(), os.getegid()) if self.namespace else (self.uid, self.gid)
        if path.lstat().st_uid == uid:
            return
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                os.lchown(Path(folder) / name, uid, gid)
        os.lchown(path, uid, gid)

    def reaches(self, *paths: Path) -> bool:
        """Whether this user can enter the paths. A child tries it, as `enter()` is final."""
        child = os.fork()
        if child == 0:
            try:
                self.enter()
                for path in paths:
                    path.stat()
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def choose_identity(data: Path, bindir: Path) -> Identity:
    """The user to run PostgreSQL as.

    On failure: OSError, when root finds no user that can enter the folders.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid())
    tried = []
    for identity in _for_root(data):
        if identity.reaches(data.parent, bindir / "postgres"):
            return identity
        tried.append(f"uid {identity.uid}{' in a user namespace' if identity.namespace else ''}")
    raise OSError(
        f"PostgreSQL does not run as root, and none of {', '.join(tried)} can enter both "
        f"{data.parent} and {bindir}; each folder above them must be searchable"
    )


def die_with_parent(parent_pid: int, death_signal: signal.Signals) -> None:
    """Ask the kernel to send this process the signal when its parent dies. Linux only.

    A change of user cancels the request, so this comes after `enter()`.
    """
    if sys.platform != "linux":
        return
    _libc().prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)  # the parent died before the request


def _for_root(data: Path) -> Iterator[Identity]:
    nobody = _nobody()
    if data.exists() and data.stat().st_uid != 0:
        yield _of(data)
    if sys.platform == "linux":
        yield Identity(nobody.uid, nobody.gid, namespace=True)
    parent = data.parent.parent
    if parent.stat().st_uid != 0:
        with contextlib.suppress(KeyError):
            pwd.getpwuid(parent.stat().st_uid)  # initdb needs the name of its user
            yield _of(parent)
    yield nobody


def _of(path: Path) -> Identity:
    found = path.stat()
    return Identity(found.st_uid, found.st_gid)


def _nobody() -> Identity:
    """`nobody`, or another named user except root: initdb needs the name of its user."""
    entries = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not entries:
        raise OSError("this system has no user but root, and PostgreSQL refuses root")
    nobody = next((entry for entry in entries if entry.pw_name == "nobody"), entries[-1])
    return Identity(nobody.pw_uid, nobody.pw_gid)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - little code between fork and exec
        file.write(text)
