"""One statement over PostgreSQL's own protocol, on a unix socket, without a driver.

It asks whether the server lets us in before anything that a driver needs is imported, also
where an event loop is already running, and takes about 5 ms.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

PROTOCOL = 3 << 16  # version 3.0
SOCKET_NAME = ".s.PGSQL.5432"


def ask(
    run: Path, *, user: str, database: str, statement: str | None = None, timeout_s: float = 10.0
) -> str | None:
    """Log in through the socket in `run`, execute the statement, log out.

    The answer is None when all went well, and the server's SQLSTATE when it said no.
    On failure: OSError, when nobody listens or the server goes away.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(run / SOCKET_NAME))
        parameters = f"user\0{user}\0database\0{database}\0\0".encode()
        connection.sendall(struct.pack("!II", len(parameters) + 8, PROTOCOL) + parameters)
        state = _until_ready(connection)
        if state is None and statement is not None:
            text = statement.encode() + b"\0"
            connection.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
            state = _until_ready(connection)
        if state is None:
            connection.sendall(b"X" + struct.pack("!I", 4))
        return state


def _until_ready(connection: socket.socket) -> str | None:
    """Messages up to the one that says "your turn", or the first error's SQLSTATE."""
    while True:
        kind, length = struct.unpack("!cI", _exactly(connection, 5))
        body = _exactly(connection, length - 4)
        if kind == b"E":
            fields = {part[:1]: part[1:] for part in body.split(b"\0")}
            return fields.get(b"C", b"XX000").decode()
        if kind == b"R" and struct.unpack("!I", body[:4])[0] != 0:
            return "28000"  # it wants a password, and this has none
        if kind == b"Z":
            return None


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionResetError("the server closed the connection")
        received += part
    return received
