"""PostgreSQL's wire protocol on a unix socket, as far as one statement needs it.

A login is checked in about 5 ms, before a driver is imported, and inside a running event loop.
"""

import socket
import struct
from pathlib import Path

PROTOCOL = 3 << 16  # version 3.0
SOCKET_NAME = ".s.PGSQL.5432"


def execute(
    run: Path, *, user: str, database: str, statement: str | None = None, timeout_s: float = 10.0
) -> str | None:
    """Log in through the socket in `run`, execute the statement, log out.

    The result is None, or the SQLSTATE of the server's error.
    On failure: OSError, when no server listens or the connection breaks.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(run / SOCKET_NAME))
        parameters = f"user\0{user}\0database\0{database}\0\0".encode()
        connection.sendall(struct.pack("!II", len(parameters) + 8, PROTOCOL) + parameters)
        sqlstate = _until_ready(connection)
        if sqlstate is None and statement is not None:
            text = statement.encode() + b"\0"
            connection.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
            sqlstate = _until_ready(connection)
        if sqlstate is None:
            connection.sendall(b"X" + struct.pack("!I", 4))
        return sqlstate


def _until_ready(connection: socket.socket) -> str | None:
    """Read messages up to ReadyForQuery, or to the first error, whose SQLSTATE is returned."""
    while True:
        kind, length = struct.unpack("!cI", _exactly(connection, 5))
        body = _exactly(connection, length - 4)
        if kind == b"E":
            fields = {part[:1]: part[1:] for part in body.split(b"\0")}
            return fields.get(b"C", b"XX000").decode()
        if kind == b"R" and struct.unpack("!I", body[:4])[0] != 0:
            return "28000"  # the server asks for a password
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
