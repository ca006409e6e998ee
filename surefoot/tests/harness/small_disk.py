"""Runs a server with a very small disk, in a process of its own.

The disk is mounted in a namespace of this process: it needs no privileges, is invisible to others,
and ends with the process, which prints the server's URL and the disk's path and runs until stdin
ends.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
# The exit code where the system allows no namespaces.
NOT_ALLOWED = 77


def main(folder: Path, size: str) -> None:
    disk = folder / "disk"
    disk.mkdir()
    _mount(disk, size)
    (disk / "tablespace").mkdir(mode=0o700)
    from surefoot.embedded import EmbeddedServer

    server = EmbeddedServer(
        folder / "server", durable=False, remove_at_end=True, database="postgres"
    )
    with server.use() as running:
        print(running.url("postgres"), disk / "tablespace", flush=True)
        sys.stdin.read()


def _mount(disk: Path, size: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        sys.exit(NOT_ALLOWED)
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", "ascii")
    options = f"size={size},mode=0755".encode()
    if libc.mount(b"tmpfs", os.fsencode(disk), b"tmpfs", 0, options) != 0:
        sys.exit(NOT_ALLOWED)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 3)]
    main(Path(sys.argv[1]), sys.argv[2])
