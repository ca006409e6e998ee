"""libpq environment variables, for psql and pg_dump."""

from surefoot.connect.url import TLS_ARGUMENTS, DatabaseUrl


def libpq_environment(url: DatabaseUrl, name: str) -> dict[str, str]:
    """The URL as environment variables, which other users cannot list as they can arguments.

    `name` is the application name, unless the URL has one.
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
    """libpq splits options at spaces that have no backslash before them."""
    return text.replace("\\", "\\\\").replace(" ", "\\ ")
