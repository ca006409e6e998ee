"""A database is named by a URL of any driver, as text or as an object."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import URL, Engine, MetaData, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from harness.guarded import PASSWORD
from surefoot import Database, Environment
from surefoot.connect.url import DatabaseUrl
from surefoot.errors import ConfigurationInvalid, DatabaseUrlInvalid, UsageError
from surefoot.target import Target


class Dsn:
    """An object like a DSN of pydantic, whose str() is the whole URL."""

    def __str__(self) -> str:
        return "postgresql+psycopg://u:p%40ss@h1:1,h2:2/d"


def synchronous() -> Engine:
    """An engine of a synchronous project, whose driver is not installed here."""
    return create_engine(
        "postgresql+pg8000://u:p@h/d",
        module=SimpleNamespace(paramstyle="format", __version__="1.31"),
    )


def asynchronous(driver: str = "asyncpg") -> AsyncEngine:
    """An engine of asyncpg, or what an engine of another driver looks like."""
    engine = create_async_engine("postgresql+asyncpg://u:p@h/d")
    engine.dialect.driver = driver
    return engine


ENGINE = synchronous()
# Where import strings lead.
HERE = f"{__name__}:"


@pytest.mark.parametrize("password", [PASSWORD, "p@ss", "%41%", "a b+c"])
@pytest.mark.parametrize("driver", ["postgresql+psycopg2", "postgresql+asyncpg"])
def test_a_url_of_sqlalchemy_keeps_all_that_it_holds(driver: str, password: str) -> None:
    """Its str() would hide the password."""
    url = URL.create(driver, "u@v", password, "h", 5433, "d", {"sslmode": "require"})
    found = Environment(metadata=[], database=url).resolved_database().location()
    assert (found.user, found.password, found.hosts) == ("u@v", password, (("h", 5433),))
    assert (found.database, found.tls) == ("d", {"sslmode": "require"})


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ({"host": "/var/run/pg"}, (("/var/run/pg", 5432),)),
        ({"host": ("h1:1", "h2:2")}, (("h1", 1), ("h2", 2))),
        ({"host": ("h1", "h2"), "port": "1,2"}, (("h1", 1), ("h2", 2))),
    ],
)
def test_hosts_in_the_arguments_of_a_url(query: Any, hosts: Any) -> None:
    """As SQLAlchemy has them for psycopg: a socket, and several hosts."""
    url = URL.create("postgresql+psycopg", "u", database="d", query=query)
    assert Database(url).location().hosts == hosts


@pytest.mark.parametrize("source", [Dsn(), Dsn, str(Dsn()), f"{HERE}Dsn"])
def test_a_dsn_of_another_library(source: Any) -> None:
    """The object, a function that gives one, its text, and an import string."""
    made = environment(database=source, targets={"eu": Dsn()})
    expected = DatabaseUrl.parse("postgresql://u:p%40ss@h1:1,h2:2/d")
    assert made.resolved_database().location() == expected
    assert made.resolved_database("eu").location() == expected


@pytest.mark.parametrize(
    "given", [f"{HERE}ENGINE.url", ENGINE.url, lambda: ENGINE.url, lambda: Database(ENGINE.url)]
)
def test_the_url_of_an_engine_is_the_database(given: Any) -> None:
    """The line that the refusals below advise."""
    assert Environment(metadata=[], database=given).resolved_database().location().password == "p"


def environment(**sources: Any) -> Environment:
    """One of a project that gives no types."""
    return Environment(metadata=[], **sources)


KEEPS = "which run on asyncpg; keep it for the application, and give its URL: "
REFUSED: dict[str, tuple[Callable[[], object], type[UsageError], str]] = {
    "an engine of another driver, by its import string": (
        lambda: Environment(metadata=[], engine=f"{HERE}ENGINE").opened_engine().__enter__(),
        ConfigurationInvalid,
        "Environment(engine=…) cannot be used: a synchronous engine of pg8000 cannot run "
        f'migrations, {KEEPS}Environment(database="{HERE}ENGINE.url")',
    ),
    "an engine where a database belongs": (
        lambda: environment(database=synchronous).resolved_database(),
        ConfigurationInvalid,
        "Environment(database=…) cannot be used: a synchronous engine of pg8000 cannot run "
        f"migrations, {KEEPS}Environment(database=engine.url)",
    ),
    "a synchronous engine of asyncpg": (
        lambda: Target.of(asynchronous().sync_engine),  # type: ignore[arg-type]  # it is wrong
        ConfigurationInvalid,
        "Target.of(engine) cannot be used: a synchronous engine of asyncpg cannot run migrations",
    ),
    "an asynchronous engine of another driver": (
        lambda: Target.of(asynchronous("psycopg")),
        ConfigurationInvalid,
        "Target.of(engine) cannot be used: an asynchronous engine of psycopg cannot run migrations",
    ),
    "an engine of asyncpg where a database belongs": (
        lambda: environment(database=asynchronous).resolved_database(),
        DatabaseUrlInvalid,
        "an asynchronous engine of asyncpg is no URL; give its URL: engine.url",
    ),
    "models where a database belongs": (
        lambda: environment(database=MetaData()).resolved_database(),
        DatabaseUrlInvalid,
        "an object of the class MetaData is no URL",
    ),
    "an engine among the targets": (
        lambda: environment(targets={"eu": ENGINE}).resolved_database("eu"),
        DatabaseUrlInvalid,
        "the project's targets: eu cannot be used: a synchronous engine of pg8000 is no URL",
    ),
    "the text of a URL, without its password": (
        lambda: Database(str(ENGINE.url)),
        DatabaseUrlInvalid,
        "its password is hidden, as in str(engine.url); give engine.url itself",
    ),
}


@pytest.mark.parametrize(("use", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_database_is_refused_by_name(
    use: Callable[[], object], error: type[UsageError], says: str
) -> None:
    """With the line that works; none of them is an AttributeError later on."""
    with pytest.raises(error) as refused:
        use()
    assert says in refused.value.message
