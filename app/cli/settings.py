"""`vegafs settings`."""

from __future__ import annotations

import click
from pydantic import SecretStr

from app.settings import Settings, load_with_origins, variable
from surefoot.cli import output
from surefoot.connect import DatabaseUrl
from surefoot.wording import counted


@click.command(name="settings")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, not text.")
def command(as_json: bool) -> None:
    """Print the settings in force and the source of each, with secrets masked.

    \b
    A value comes from the first of these that has one:
      the environment, .env, the file named by DATABASE_URL_FILE,
      a folder of secret files (VEGAFS_SECRETS_DIR, or /run/secrets)

    \b
    Examples:
      vegafs settings
      vegafs settings --json
    """
    settings, origins = load_with_origins()
    rows = [
        (variable(name), _shown(getattr(settings, name)), origins.get(name, "default"))
        for name in Settings.model_fields
    ]
    if as_json:
        output.answer_json(
            {
                "schema_version": 1,
                "settings": [
                    {"name": name, "value": value, "origin": origin} for name, value, origin in rows
                ],
            }
        )
        return
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        output.answer(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    output.narrate(f"{counted(len(rows), 'setting')}, {len(origins)} of them set")


def _shown(value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, SecretStr):
        return str(DatabaseUrl.parse(value.get_secret_value()))
    if isinstance(value, dict):
        # The separators that the variables use: commas between paths, spaces between URLs.
        between = " " if any(isinstance(item, SecretStr) for item in value.values()) else ","
        return between.join(f"{key}={_shown(item)}" for key, item in value.items()) or "(none)"
    return str(value)
