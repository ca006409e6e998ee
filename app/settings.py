"""Settings is everything that the project reads from its environment, frozen.

The database is named by DATABASE_URL; everything else begins with VEGAFS_. A value is taken from
the first of these that has it: the environment, `.env` in the project's root (or the file that
VEGAFS_ENV_FILE names), a file named by DATABASE_URL_FILE, a folder of secret files
(VEGAFS_SECRETS_DIR, /run/secrets where it exists).
Nothing is read when this module is imported: `load_settings()` does it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from app import PROJECT_ROOT
from app.errors import SettingsInvalid
from app.named_values import targets_of, volumes_of
from surefoot.wording import suggestion

PREFIX = "VEGAFS_"
# Read where they are used, before or beside Settings.
OTHER_NAMES = frozenset({"VEGAFS_ENV_FILE", "VEGAFS_SECRETS_DIR"})


class Settings(BaseSettings):
    """The environment as this process found it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="the database; unset on a development machine: the embedded one",
    )
    migrate_database_url: SecretStr | None = Field(
        default=None,
        description="a direct URL for migrations and their page, where DATABASE_URL is a pooler",
    )
    targets: Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(targets_of)] = Field(
        default_factory=dict,
        description="databases by name, for --target: name=url name=url, with spaces between",
    )
    scratch_url: SecretStr | None = Field(
        default=None,
        description="a server to try revisions on, in databases of their own; unset: one of ours",
    )
    environment: Literal["development", "test", "production"] = Field(
        default="development",
        description="production turns the guards on and the development defaults off",
    )
    state_dir: Path = Field(
        default=PROJECT_ROOT / ".vegafs", description="where the embedded database lives"
    )
    pg_bindir: Path | None = Field(
        default=None, description="a folder with initdb and postgres for the embedded database"
    )
    connect_timeout_s: float = Field(
        default=5.0, gt=0, description="how long a connection may take, unless the URL says"
    )
    pool_size: int = Field(default=5, ge=1, description="connections the service keeps open")
    pool_max_overflow: int = Field(
        default=5, ge=0, description="connections that it opens beyond them at most"
    )
    pool_timeout_s: float = Field(
        default=10.0, gt=0, description="how long a request waits for a connection"
    )
    migrate_lock_timeout_s: float = Field(
        default=0.2,
        gt=0,
        le=60,
        description="how long others may wait behind one attempt of a migration at its locks",
    )
    migrate_patient_lock_timeout_s: float = Field(
        default=600.0,
        gt=0,
        description="how long an attempt waits for a lock that nobody else queues behind",
    )
    migrate_lock_budget_s: float = Field(
        default=600.0, ge=0, description="how long a revision is tried again for a lock, in all"
    )
    migrate_mutex_wait_s: float = Field(
        default=300.0, ge=0, description="how long a run waits for another run to end"
    )
    migrate_backup_command: str | None = Field(
        default=None,
        description="run in production before a run with a reason, which may lose data",
    )
    migrate_backup_waived: str | None = Field(
        default=None, description="who does without that backup, and why"
    )
    migrate_lint: Literal["off", "warn", "error"] = Field(
        default="error",
        description="in production, what becomes of revisions that lint found to be unsafe",
    )
    migrate_services_wait_s: float = Field(
        default=0.0,
        ge=0,
        description="how long a contract revision waits for services that it would break to end",
    )
    startup_schema: Literal["wait", "refuse", "upgrade"] = Field(
        default="wait",
        description="what a service does that starts on a database that is behind",
    )
    startup_wait_s: float = Field(
        default=300.0, gt=0, description="how long a service waits for the migration, if it waits"
    )
    migrate_statement_timeout_s: float = Field(
        default=0.0, ge=0, description="how long a migration's statement may run; 0 is no limit"
    )
    migrate_idle_in_transaction_timeout_s: float = Field(
        default=60.0,
        ge=0,
        description="how long a migration may be silent in a transaction; 0 is no limit",
    )
    volumes: Annotated[dict[str, Path], NoDecode, BeforeValidator(volumes_of)] = Field(
        default_factory=dict,
        description="the folders that may be scanned: name=/path,name=/path",
    )
    host: str = Field(default="127.0.0.1", description="the address on which the service listens")
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="the port on which the service listens; 0 takes a free one",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="the log of the service: lines, or one JSON object a line"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least level of its own messages"
    )
    access_log: bool = Field(default=False, description="whether each request is in the log")
    worker: bool = Field(default=True, description="whether the service works on jobs itself")
    worker_poll_s: float = Field(default=1.0, gt=0, description="how often an idle worker looks")
    worker_lease_s: float = Field(
        default=30.0,
        gt=0,
        le=86_400,
        description="after how long a silent worker's job is taken over",
    )
    worker_max_attempts: int = Field(
        default=3, ge=1, le=1000, description="how often a job is started before it fails for good"
    )
    scan_batch_rows: int = Field(
        default=10_000, ge=1, le=100_000, description="files that a scan writes at once"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from `load_settings()`, which knows where each of them was found."""
        return (init_settings,)


def load_settings(root: Path = PROJECT_ROOT) -> Settings:
    """The settings in force for a process that runs in the project at `root`.

    On failure: SettingsInvalid names every variable that is unknown or has an unusable value.
    """
    return load_with_origins(root)[0]


def load_with_origins(root: Path = PROJECT_ROOT) -> tuple[Settings, Mapping[str, str]]:
    """Settings, and for each field that is not a default the place where its value was found."""
    env_file = _env_file(root)
    secrets_dir = _secrets_dir()
    sources: list[tuple[str, PydanticBaseSettingsSource]] = [
        ("environment", EnvSettingsSource(Settings)),
        (str(env_file), DotEnvSettingsSource(Settings, env_file=env_file)),
    ]
    if secrets_dir is not None:
        sources.append((str(secrets_dir), SecretsSettingsSource(Settings, secrets_dir=secrets_dir)))

    problems = [
        *_unknown(os.environ, "the environment"),
        *_unknown(_dotenv(env_file), env_file),
        *_unknown(_names_in(secrets_dir), secrets_dir),
    ]
    found_in = [(origin, source()) for origin, source in sources]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        keys = {name, alias} if isinstance(alias, str) else {name}
        for origin, found in found_in:
            key = next((key for key in keys if found.get(key) not in (None, "")), None)
            if key is not None:
                values[name], origins[name] = found[key], origin
                break
    url_file = os.environ.get("DATABASE_URL_FILE")
    if url_file:
        if origins.get("database_url") == "environment":
            problems.append("DATABASE_URL and DATABASE_URL_FILE are both set; keep one of them")
        else:
            try:
                values["database_url"] = Path(url_file).read_text(encoding="utf-8").strip()
                origins["database_url"] = url_file
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is not text"
                problems += [f"DATABASE_URL_FILE names {url_file}, which cannot be read: {why}"]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False):
            field_name = str(detail["loc"][0])
            problems.append(
                f"{variable(field_name)} ({origins.get(field_name, 'default')}): {detail['msg']}"
            )
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings, origins


def variable(field_name: str) -> str:
    """The environment variable of a field: DATABASE_URL, or VEGAFS_ and its name."""
    found = Settings.model_fields.get(field_name)
    alias = found and found.validation_alias
    return alias if isinstance(alias, str) else PREFIX + field_name.upper()


def _secrets_dir() -> Path | None:
    named = os.environ.get("VEGAFS_SECRETS_DIR")
    path = Path(named or "/run/secrets")
    try:
        if path.is_dir():
            return path
    except OSError as error:
        raise SettingsInvalid([f"{path} cannot be read: {error}"]) from None
    if named:
        raise SettingsInvalid([f"VEGAFS_SECRETS_DIR names {named}, which is not a folder"])
    return None


def _env_file(root: Path) -> Path:
    named = os.environ.get("VEGAFS_ENV_FILE")
    path = Path(named) if named else root / ".env"
    try:
        if named and not path.exists():
            raise SettingsInvalid([f"VEGAFS_ENV_FILE names {named}, which does not exist"])
        if named and path.is_dir():
            raise SettingsInvalid([f"VEGAFS_ENV_FILE names {named}, which is a folder"])
        _dotenv(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid([f"{path} cannot be read: {error}"]) from None
    return path


def _dotenv(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is a file to read

    return dotenv_values(path) if path.is_file() else {}


def _names_in(secrets_dir: Path | None) -> list[str]:
    return [path.name for path in secrets_dir.iterdir()] if secrets_dir is not None else []


def _unknown(names: Iterable[str], where: object) -> list[str]:
    known = {variable(name) for name in Settings.model_fields} | OTHER_NAMES
    problems = []
    for name in sorted(names):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = suggestion(name.upper(), known, cutoff=0.0)
            problems.append(f"{name} in {where} is not a setting; {near}")
    return problems
