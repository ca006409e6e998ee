"""DatabaseUrl is a PostgreSQL URL as people write it, taken apart for asyncpg.

SQLAlchemy alone would pick another driver for `postgresql://` and hand libpq's query arguments to
asyncpg as keyword arguments, which it refuses with a TypeError. Here each of them is translated
or refused by name. The driver in a URL is the application's; the library connects by asyncpg.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from surefoot.errors import DatabaseUrlInvalid
from surefoot.errors.disclosure import keep_secret
from surefoot.errors.names import setting
from surefoot.wording import counted, suggestion

SCHEMES = ("postgres", "postgresql")
_SCHEME = re.compile(r"postgres(?:ql)?(?:\+\w+)?")
DEFAULT_PORT = 5432
# asyncpg reads these from a DSN of its own; they hold paths and modes, never the password.
TLS_ARGUMENTS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (
        *("any", "primary", "standby", "read-write", "read-only"),
        "prefer-standby",
    ),
}
TRANSLATED = (
    *TLS_ARGUMENTS,
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "options",
    "passfile",
    "password",
    "port",
    "target_session_attrs",
    "user",
)

# The first "@" after which the rest still reads as hosts, database and arguments ends the
# credentials. So a password may hold "@", "/", "?", "#", ":" and "%" as they are; only one that
# itself looks like "@host/database", or like %XX and nothing else of these, needs encoding.
_URL = re.compile(
    r"^(?P<scheme>[A-Za-z][\w+.-]*)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>.*?))?@)?"
    r"(?P<hosts>(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^/?#@:,\[\]\s])*(?::\d*)?"
    r"(?:,(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^/?#@:,\[\]\s])+(?::\d*)?)*)"
    r"(?:/(?P<database>[^/?#@]*))?"
    r"(?:\?(?P<query>[\w.-]+=[^?#]*)?)?$",
    re.DOTALL,
)
_HOST = re.compile(
    r"^(?:(?P<socket>/.*)|(?P<bare_v6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*(?:%[\w.-]+)?)"
    r"|(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:]*))(?::(?P<port>\d*))?)$"
)
_OPTION = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)=(?P<value>.*)$", re.DOTALL)


class _Unusable(Exception):
    """The reason why a URL cannot be used."""


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and how to log in. `str()` and `repr()` never show the password."""

    hosts: tuple[tuple[str, int], ...]
    database: str | None
    user: str | None
    password: str | None = field(default=None, repr=False)
    passfile: str | None = None
    tls: Mapping[str, str] = field(default_factory=dict)
    target_session_attrs: str | None = None
    connect_timeout_s: float | None = None
    server_settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, name: str | None = None) -> DatabaseUrl:
        """The URL in `text`; `name` is the variable that held it, for the error.

        On failure: DatabaseUrlInvalid, which quotes nothing that could be a password.
        """

        try:
            return cls._parse(text.strip())
        except _Unusable as reason:
            raise DatabaseUrlInvalid(name or setting("database"), str(reason)) from None

    @classmethod
    def _parse(cls, text: str) -> DatabaseUrl:
        scheme, separator, _ = text.partition("://")
        if not separator:
            raise _Unusable("it is not a URL: it has no `postgresql://` in front")
        if not _SCHEME.fullmatch(scheme):
            raise _Unusable(_scheme_reason(scheme))
        match = _URL.match(text)
        if match is None:
            raise _Unusable(
                "after the scheme it does not read as user:password@host:port/database?arguments "
                "(a reserved character in the user name or the database is written %XX)"
            )
        arguments = _arguments(match["query"] or "")
        if match["hosts"] and ("host" in arguments or "port" in arguments):
            raise _Unusable("it names hosts twice: before the database and in its arguments")
        hosts, ports = arguments.get("host", ""), arguments.get("port", "")
        server_settings = _options(arguments.get("options", ""))
        if "application_name" in arguments:
            server_settings["application_name"] = arguments["application_name"]
        for argument, choices in CHOICES.items():
            if (chosen := arguments.get(argument, choices[0])) not in choices:
                raise _Unusable(f"{argument} is {chosen!r}; it is one of {', '.join(choices)}")
        found = cls(
            hosts=_hosts(unquote(match["hosts"]) or hosts, ports),
            database=unquote(match["database"] or "") or arguments.get("dbname"),
            user=unquote(match["user"] or "") or arguments.get("user"),
            password=_password(match["password"]) or arguments.get("password"),
            passfile=arguments.get("passfile"),
            tls={key: arguments[key] for key in TLS_ARGUMENTS if key in arguments},
            target_session_attrs=arguments.get("target_session_attrs"),
            connect_timeout_s=_seconds(arguments.get("connect_timeout")),
            server_settings=server_settings,
        )
        keep_secret(found.password, unlike=(found.user, found.database))
        return found

    @property
    def name(self) -> str:
        """The database's name, as PostgreSQL would choose it where the URL has none."""
        return self.database or self.user or "(default)"

    @property
    def address(self) -> str:
        """Where the server is: `host:port`, several of them, or a socket's folder."""
        shown = [
            host if host.startswith("/") else f"{_bracket(host)}:{port}"
            for host, port in self.hosts
        ]
        return ",".join(shown) or "the default server"

    def __str__(self) -> str:
        """A URL for people, without its password and arguments."""
        login = f"{self.user}{':***' if self.password else ''}@" if self.user else ""
        return f"postgresql://{login}{self.address}/{self.database or ''}"

    def check_files(self) -> None:
        """On failure: DatabaseUrlInvalid, where a file that the URL names cannot be read."""
        for name, path in self.tls.items():
            if name in FILES:
                try:
                    Path(path).open("rb").close()
                except OSError as error:
                    reason = f"its {name} is {path}, which cannot be read: {error.strerror}"
                    raise DatabaseUrlInvalid(setting("database"), reason) from None

    def connect_arguments(self, *, connect_timeout_s: float) -> dict[str, Any]:
        """The arguments of `asyncpg.connect`; the timeout counts where the URL has none."""
        arguments: dict[str, Any] = {
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "passfile": self.passfile,
            "timeout": self.connect_timeout_s or connect_timeout_s,
            "target_session_attrs": self.target_session_attrs,
            "server_settings": dict(self.server_settings),
        }
        if self.hosts:
            arguments["host"] = [host for host, _ in self.hosts]
            arguments["port"] = [port for _, port in self.hosts]
        if self.tls:
            # The one way to hand asyncpg certificate files that it reads as libpq does.
            arguments["dsn"] = "postgresql://?" + urlencode(self.tls)
        return {key: value for key, value in arguments.items() if value is not None}


def _scheme_reason(scheme: str) -> str:
    near = suggestion(scheme, SCHEMES, "'{}://'")
    return f"{scheme!r} is not PostgreSQL{near and f'; {near}'}"


def _argument_reason(argument: str) -> str:
    hint = suggestion(argument, TRANSLATED, cutoff=0.75) or "remove it"
    return f"its argument {argument!r} has no equivalent in asyncpg; {hint}"


def _password(text: str | None) -> str | None:
    """A password that holds what encoding would have removed was pasted as it is."""
    is_raw = text is not None and re.search(r"[@?#]|%(?![0-9A-Fa-f]{2})", text)
    return text if text is None or is_raw else unquote(text)


def _arguments(query: str) -> dict[str, str]:
    """The known arguments by name. As in libpq, and unlike in forms, a plus sign is no space."""
    arguments: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise _Unusable("its arguments do not read as name=value&name=value")
        if name not in TRANSLATED:
            raise _Unusable(_argument_reason(name))
        if name == "options":  # nothing but a space makes sense beside a dash
            value = re.sub(r"(?<=-c)\+|\+(?=-)", " ", value)
        value = unquote(value)
        if name in arguments and name != "host":
            raise _Unusable(f"its argument {name!r} is given twice")
        arguments[name] = f"{arguments[name]},{value}" if name in arguments else value
    return arguments


def _hosts(hosts: str, ports: str) -> tuple[tuple[str, int], ...]:
    if not hosts and not ports:
        return ()
    items = hosts.split(",")
    numbers = ports.split(",")
    if len(numbers) not in (1, len(items)):
        raise _Unusable(f"it has {counted(len(items), 'host')} and {counted(len(numbers), 'port')}")
    found = []
    for index, item in enumerate(items):
        match = _HOST.match(item)
        if match is None:
            raise _Unusable(f"{item!r} is not a host; an IPv6 address stands in [brackets]")
        host = match["socket"] or match["v6"] or match["bare_v6"] or match["name"] or "localhost"
        port = match["port"] or numbers[index if len(numbers) > 1 else 0] or str(DEFAULT_PORT)
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise _Unusable(f"{port!r} is not a port")
        found.append((host, int(port)))
    return tuple(found)


def _options(text: str) -> dict[str, str]:
    """libpq's `-c name=value` and `--name=value`, in which a backslash keeps a space."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|\S)+", text, re.DOTALL)]
    settings: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = words.pop(0)
        elif word.startswith("-c"):
            word = word[2:]
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            word = name.replace("-", "_") + equals + value
        else:
            raise _Unusable(f"its options hold {word!r}; only `-c name=value` is understood")
        match = _OPTION.match(word)
        if match is None:
            raise _Unusable(f"its options hold {word!r}; only `-c name=value` is understood")
        settings[match["name"]] = match["value"]
    return settings


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d+", text):
        raise _Unusable(f"connect_timeout is {text!r}; it is a whole number of seconds")
    # libpq: zero or less waits for ever. A day is that, and still ends.
    return float(text) if int(text) > 0 else 86_400.0


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
