"""Runs beside one another in one process, each with an `op` and a `context` of its own.

Alembic keeps what `op.…` and `context.…` mean in one global each, so two upgrades as tasks of one
event loop would write into each other's databases. `install()` lets the globals look the meaning
up in a context variable, of which every task has its own value.

It replaces two private methods of Alembic, which 1.18 to 1.20 have alike; a test runs upgrades side
by side.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from alembic.util.langhelpers import ModuleClsProxy

# What `op` or `context` means here and now: the newest last, for calls within calls.
_Meanings = tuple[Any, ...]
_ALEMBICS_LEAVE = ModuleClsProxy._remove_proxy
_meanings: dict[type[Any], ContextVar[_Meanings]] = {}


class _Dispatch:
    """Stands in Alembic's modules, and passes every access on to the task's own object."""

    def __init__(self, meanings: ContextVar[_Meanings]) -> None:
        self._meanings = meanings

    def __getattr__(self, name: str) -> Any:
        meanings = self._meanings.get()
        if not meanings:
            raise NameError(f"Can't use {name!r} of Alembic outside of a run")
        return getattr(meanings[-1], name)


def install() -> None:
    """From here on runs may overlap."""
    replacements: dict[str, Callable[[Any], None]] = {
        "_install_proxy": _enter,
        "_remove_proxy": _leave,
    }
    for name, function in replacements.items():
        setattr(ModuleClsProxy, name, function)


def _enter(proxy: Any) -> None:
    kind = type(proxy)
    meanings = _meanings.setdefault(kind, ContextVar(f"alembic {kind.__name__}", default=()))
    meanings.set((*meanings.get(), proxy))
    attribute_names, modules = kind._setups[kind]
    for module, _ in modules:
        module["_proxy"] = _Dispatch(meanings)
        # Plain attributes (`context.config`) cannot be looked up late: env.py reads them first.
        module.update({name: getattr(proxy, name) for name in attribute_names})


def _leave(proxy: Any) -> None:
    meanings = _meanings.get(type(proxy))
    if meanings is None:
        _ALEMBICS_LEAVE(proxy)  # it was entered before `install()`
        return
    meanings.set(tuple(item for item in meanings.get() if item is not proxy))
