"""The writer of a ledger's row: who it is, and the texts that its session can store."""

from __future__ import annotations

import codecs
import getpass
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Encodings of PostgreSQL that Python calls by another name; SQL_ASCII takes any bytes.
_CODECS = {
    "SQL_ASCII": "ascii",
    "EUC_JIS_2004": "euc_jis_2004",
    "WIN874": "cp874",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
} | {f"WIN{number}": f"cp{number}" for number in (866, *range(1250, 1259))}


def actor(connection: Connection) -> dict[str, str]:
    """Who writes: the user of the database and of the machine."""
    if "ledger_actor" not in connection.info:
        query = (
            "SELECT session_user, current_setting('application_name'), "
            "current_setting('server_encoding')"
        )
        user, application, encoding = connection.exec_driver_sql(query).one()
        connection.info["ledger_encoding"] = encoding
        connection.info["ledger_actor"] = {
            "database_user": user,
            "os_user": os_user(),
            "host": socket.gethostname(),
            "application": application,
        }
    return dict(connection.info["ledger_actor"])


def storable(text: str, encoding: str) -> str:
    """The text with escapes for the characters that the encoding of the database does not have."""
    if text.isascii():
        return text
    try:
        codec = codecs.lookup(_CODECS.get(encoding, encoding)).name
    except LookupError:  # one that Python does not have
        codec = "ascii"
    return text.encode(codec, "backslashreplace").decode(codec)


def os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid without a name
        return str(os.geteuid())


def who() -> str:
    """The user of this machine and its name, for people."""
    return f"{os_user()}@{socket.gethostname()}"
