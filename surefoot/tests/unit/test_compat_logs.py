"""`fileConfig` of an env.py, and the logging of the program that runs it."""

import asyncio
import logging
import logging.config
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.compat import logs

INI = """\
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys =
[logger_root]
level = ERROR
handlers = console
[handler_console]
class = StreamHandler
args = ()
"""


class Closing(logging.Handler):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


@pytest.fixture
def handler() -> Iterator[Closing]:
    """A handler of a program, and its logging before and after the test."""
    root, made = logging.getLogger(), Closing()
    handlers, level = root.handlers[:], root.level
    loggers = [of for of in root.manager.loggerDict.values() if isinstance(of, logging.Logger)]
    enabled = [of for of in loggers if not of.disabled]
    root.addHandler(made)
    yield made
    root.handlers[:], root.level = handlers, level
    for logger in enabled:
        logger.disabled = False


@pytest.mark.parametrize("is_kept", [True, False])
def test_it_is_kept_in_the_block_alone(handler: Closing, tmp_path: Path, is_kept: bool) -> None:
    """Handlers, levels and loggers; behind it `fileConfig` works as ever."""
    path, shop = tmp_path / "alembic.ini", logging.getLogger("shop of a test")
    path.write_text(INI, "utf-8")
    with logs.kept():
        if is_kept:
            logging.config.fileConfig(path)
    if not is_kept:
        logging.config.fileConfig(path)
    assert (handler in logging.getLogger().handlers) == is_kept
    assert (shop.disabled, handler.is_closed) == (not is_kept, not is_kept)
    assert (logging.getLogger().level == logging.ERROR) == (not is_kept)


async def test_a_task_beside_the_block_is_left_alone(handler: Closing, tmp_path: Path) -> None:
    """One that the block begins is part of it."""
    path = tmp_path / "alembic.ini"
    path.write_text(INI, "utf-8")

    async def configure() -> None:
        await asyncio.sleep(0)
        logging.config.fileConfig(path)

    beside = asyncio.ensure_future(configure())
    with logs.kept():
        await asyncio.ensure_future(configure())
        assert handler.is_closed
    await beside
