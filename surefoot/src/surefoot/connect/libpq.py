"""What PostgreSQL's own programs are told: psql, pg_dump."""

from __future__ import annotations

from surefoot.connect.url import TLS_ARGUMENTS, DatabaseUrl


def libpq_environment(url: DatabaseUrl, name: str) -> dict[str, str]:
    """The URL as libpq's variables: unlike arguments, other users cannot list them.

    `name` is what the server calls the session, unless the URL says.
    """
    settings = dict(url.server_settings)
    found = {
        "PGHOST": ",".join(host for host, _ in url.hosts),
        "PGPORT": ",".join(str(port) for _, port in url.hosts),
        "PGDATABASE": url.database,
        "PGUSER": url.user,
        "PGPASSWORD": url.password,
        "PGPASSFILE": url.passfile,
        "PGTARGETSESSIONATTRS": url.target_session_attrs,
        "PGCONNECT_TIMEOUT": f"{url.connect_timeout_s:.0f}" if url.connect_timeout_s else None,
        "PGAPPNAME": settings.pop("application_name", name),
        "PGOPTIONS": " ".join(f"-c {_escaped(f'{k}={v}')}" for k, v in settings.items()),
        **{
            f"PG{name.replace('_protocol', 'protocol').replace('_', '').upper()}": url.tls.get(name)
            for name in TLS_ARGUMENTS
        },
    }
    return {name: value for name, value in found.items() if value}


def _escaped(text: str) -> str:
    """libpq splits options at spaces and keeps those behind a backslash."""
    return text.replace("\\", "\\\\").replace(" ", "\\ ")
