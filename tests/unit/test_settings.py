"""Where settings come from, and what is refused."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import SettingsInvalid
from app.settings import Settings, load_settings, load_with_origins, variable
from surefoot.errors import names

URL = "postgresql://u:S3cret@h/d"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets is set."""
    for name in list(os.environ):
        if name.startswith(("VEGAFS_", "DATABASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder without `.env`."""
    return tmp_path


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(root)
    return invalid.value.problems


# -- sources -------------------------------------------------------------------------------------


def test_nothing_needs_to_be_set(root: Path) -> None:
    """Every setting has a default; the database then is the embedded one."""
    settings, origins = load_with_origins(root)
    assert settings.database_url is None
    assert settings.environment == "development"
    assert origins == {}


def test_the_environment_gives_a_value(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL by its own name, all else with the prefix."""
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("VEGAFS_POOL_SIZE", "7")
    settings, origins = load_with_origins(root)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert settings.pool_size == 7
    assert origins == {"database_url": "environment", "pool_size": "environment"}


def test_dot_env_gives_a_value(root: Path) -> None:
    """With quotes, comments and `export`, as shells read it."""
    (root / ".env").write_text(f"# mine\nexport DATABASE_URL='{URL}'\nVEGAFS_PORT=9000\n")
    settings, origins = load_with_origins(root)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert (settings.port, origins["port"]) == (9000, str(root / ".env"))


def test_a_file_holds_the_url(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL_FILE, as container platforms hand over secrets."""
    (root / "url").write_text(f"{URL}\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(root / "url"))
    settings, origins = load_with_origins(root)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert origins == {"database_url": str(root / "url")}


def test_a_folder_of_secret_files_gives_values(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file a setting, named as its variable, in either case."""
    secrets = root / "secrets"
    secrets.mkdir()
    (secrets / "database_url").write_text(f"{URL}\n")
    (secrets / "vegafs_pool_size").write_text("9")
    monkeypatch.setenv("VEGAFS_SECRETS_DIR", str(secrets))
    settings, origins = load_with_origins(root)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert settings.pool_size == 9
    assert origins == {"database_url": str(secrets), "pool_size": str(secrets)}


def test_the_first_source_that_has_a_value_gives_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment before `.env` before secret files; an empty value is none."""
    secrets = root / "secrets"
    secrets.mkdir()
    for name in ("vegafs_port", "vegafs_pool_size", "vegafs_host"):
        (secrets / name).write_text("3")
    (root / ".env").write_text("VEGAFS_PORT=2\nVEGAFS_POOL_SIZE=2\nVEGAFS_HOST=\n")
    monkeypatch.setenv("VEGAFS_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("VEGAFS_PORT", "1")
    monkeypatch.setenv("VEGAFS_POOL_SIZE", "")
    settings, origins = load_with_origins(root)
    assert (settings.port, settings.pool_size, settings.host) == (1, 2, "3")
    assert origins == {
        "port": "environment",
        "pool_size": str(root / ".env"),
        "host": str(secrets),
    }


def test_another_file_can_stand_for_dot_env(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VEGAFS_ENV_FILE names it; `.env` is then not read."""
    (root / ".env").write_text("VEGAFS_PORT=1\nVEGAFS_POOL_SIZE=1\n")
    (root / "other.env").write_text("VEGAFS_PORT=2\n")
    monkeypatch.setenv("VEGAFS_ENV_FILE", str(root / "other.env"))
    settings = load_settings(root)
    assert (settings.port, settings.pool_size) == (2, 5)


def test_volumes_are_names_and_paths(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path alone is named by its last part."""
    monkeypatch.setenv("VEGAFS_VOLUMES", "media=/srv/media, /usr ,/")
    assert load_settings(root).volumes == {
        "media": Path("/srv/media"),
        "usr": Path("/usr"),
        "root": Path("/"),
    }


# -- refusals ------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_nearest(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands; all of them are named at once."""
    monkeypatch.setenv("VEGAFS_POOL_SZIE", "7")
    (root / ".env").write_text("VEGAFS_HOSTS=h\n")
    (root / "secrets").mkdir()
    (root / "secrets" / "vegafs_prot").write_text("1")
    monkeypatch.setenv("VEGAFS_SECRETS_DIR", str(root / "secrets"))
    assert problems(root) == (
        "VEGAFS_POOL_SZIE in the environment is not a setting; did you mean 'VEGAFS_POOL_SIZE'?",
        f"VEGAFS_HOSTS in {root / '.env'} is not a setting; did you mean 'VEGAFS_HOST'?",
        f"vegafs_prot in {root / 'secrets'} is not a setting; did you mean 'VEGAFS_PORT'?",
    )


def test_names_of_others_are_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the prefix is ours."""
    monkeypatch.setenv("VEGA_POOL_SIZE", "x")
    (root / ".env").write_text("POSTGRES_PASSWORD=x\n")
    assert load_settings(root) == Settings()


def test_an_unusable_value_is_refused_with_its_place(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variable, source and rule; the value itself may be a secret."""
    monkeypatch.setenv("VEGAFS_POOL_SIZE", "S3cret")
    (root / ".env").write_text("VEGAFS_ENVIRONMENT=prod\n")
    assert problems(root) == (
        f"VEGAFS_ENVIRONMENT ({root / '.env'}): Input should be 'development', 'test' or "
        "'production'",
        "VEGAFS_POOL_SIZE (environment): Input should be a valid integer, unable to parse string "
        "as an integer",
    )


def test_a_volume_that_is_named_twice_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two folders of one name would be one volume."""
    monkeypatch.setenv("VEGAFS_VOLUMES", "/a/data,/b/data")
    assert problems(root) == (
        "VEGAFS_VOLUMES (environment): Value error, the volume name 'data' is given twice; "
        "write name=/path",
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("=/srv", "a volume lacks its name or its path; write name=/path"),
        ("srv=", "a volume lacks its name or its path; write name=/path"),
        ("Srv=/a,srv=/b", "the volume names 'Srv' and 'srv' differ in case only"),
        ("/srv/caf\udce9", "the name of a volume is not UTF-8; write name=/path"),
    ],
)
def test_a_volume_that_cannot_be_told_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    """An empty path would be the current folder; a name is the same in any case."""
    monkeypatch.setenv("VEGAFS_VOLUMES", value)
    assert problems(root) == (f"VEGAFS_VOLUMES (environment): Value error, {problem}",)


def test_the_url_in_two_places_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could say which database is meant."""
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_URL_FILE", str(root / "url"))
    assert problems(root) == ("DATABASE_URL and DATABASE_URL_FILE are both set; keep one of them",)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "DATABASE_URL_FILE",
            "DATABASE_URL_FILE names {}, which cannot be read: No such file or directory",
        ),
        ("VEGAFS_SECRETS_DIR", "VEGAFS_SECRETS_DIR names {}, which is not a folder"),
        ("VEGAFS_ENV_FILE", "VEGAFS_ENV_FILE names {}, which does not exist"),
    ],
)
def test_a_place_that_is_missing_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    """Whoever named it expects it to be read."""
    missing = root / "missing"
    monkeypatch.setenv(name, str(missing))
    assert problems(root) == (problem.format(missing),)


def test_a_folder_is_no_env_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings would be left out without a word."""
    monkeypatch.setenv("VEGAFS_ENV_FILE", str(root))
    assert problems(root) == (f"VEGAFS_ENV_FILE names {root}, which is a folder",)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("VEGAFS_ENV_FILE", "does not exist"), ("VEGAFS_SECRETS_DIR", "is not a folder")],
)
def test_a_path_that_cannot_be_looked_at_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: str
) -> None:
    """A folder above it may be closed, too, but not to the superuser.

    Since Python 3.14 such a path counts as one that is not there.
    """
    path = root / ("x" * 300)
    monkeypatch.setenv(name, str(path))
    (problem,) = problems(root)
    too_long = OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    said = f"{path} cannot be read: {too_long}"
    if sys.version_info >= (3, 14):
        said = f"{name} names {path}, which {missing}"
    assert problem == said


def test_an_env_file_that_is_no_text_is_named(root: Path) -> None:
    """As an editor writes it that does not know UTF-8."""
    (root / ".env").write_bytes(b"# caf\xe9\nVEGAFS_PORT=1\n")
    (problem,) = problems(root)
    assert problem.startswith(f"{root / '.env'} cannot be read: 'utf-8' codec can't decode byte")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("VEGAFS_WORKER_LEASE_S", "inf", "Input should be a finite number"),
        ("VEGAFS_WORKER_LEASE_S", "1e13", "Input should be less than or equal to 86400"),
        ("VEGAFS_WORKER_MAX_ATTEMPTS", "99999999999", "Input should be less than or equal to 1000"),
        ("VEGAFS_STARTUP_WAIT_S", "inf", "Input should be a finite number"),
    ],
)
def test_a_number_that_the_worker_or_the_server_cannot_hold_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str
) -> None:
    """No job would ever be taken."""
    monkeypatch.setenv(name, value)
    assert problems(root) == (f"{name} (environment): {rule}",)


def test_a_misspelt_field_is_refused() -> None:
    """Also in Python: Settings(pool_szie=…) does not pass for a default."""
    with pytest.raises(ValidationError):
        Settings(pool_szie=7)  # type: ignore[call-arg]  # the test's point


# -- what they are -------------------------------------------------------------------------------


def test_settings_cannot_be_changed() -> None:
    """The settings that were read at start are in force."""
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # the test's point


def test_settings_of_one_s_own_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only load_settings() looks at the environment."""
    monkeypatch.setenv("DATABASE_URL", URL)
    assert Settings().database_url is None


def test_the_password_is_in_no_text_of_settings() -> None:
    """str and repr end up in logs."""
    settings = Settings(database_url=URL)
    assert "S3cret" not in f"{settings} {settings!r} {settings.model_dump()}"


@pytest.mark.slow
def test_importing_reads_nothing() -> None:
    """A broken environment is an error of the command that reads it, not of an import."""
    done = subprocess.run(
        [sys.executable, "-c", "import app.settings, app.db.engine, surefoot.embedded, app.cli"],
        env={**os.environ, "VEGAFS_NO_SUCH": "1", "VEGAFS_PORT": "x"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described(field: str) -> None:
    """The description is what `vegafs settings` and the documentation have to say about it."""
    assert Settings.model_fields[field].description
    assert variable(field) == (
        "DATABASE_URL" if field == "database_url" else f"VEGAFS_{field.upper()}"
    )


# -- targets -------------------------------------------------------------------------------------


def test_targets_are_names_and_urls(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a secret file one a line; a URL with several hosts is one."""
    (root / "vegafs_targets").write_text("eu=postgresql://u:S3cret@a:1,b:2/d?sslmode=require\nus=x")
    monkeypatch.setenv("VEGAFS_SECRETS_DIR", str(root))
    settings = load_settings(root)
    assert {name: url.get_secret_value() for name, url in settings.targets.items()} == {
        "eu": "postgresql://u:S3cret@a:1,b:2/d?sslmode=require",
        "us": "x",
    }
    assert "S3cret" not in repr(settings)


FORM = "write name=postgresql://… name=postgresql://…, with spaces between"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (URL, FORM),
        (f"{URL}?sslmode=require", FORM),
        (f"eu={URL} eu={URL}", "the target 'eu' is given twice"),
    ],
)
def test_targets_that_cannot_be_told_apart_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    """Without a word of a URL."""
    monkeypatch.setenv("VEGAFS_TARGETS", text)
    assert problems(root) == (f"VEGAFS_TARGETS (environment): Value error, {complaint}",)


def test_messages_of_the_library_name_settings_that_there_are() -> None:
    """app.errors names them for it."""
    named = {*names.in_use().settings.values()} - {"DATABASE_URL_FILE"}
    assert named <= {variable(field) for field in Settings.model_fields}
