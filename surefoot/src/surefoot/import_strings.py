"""An import string leads to an object of the project: "shop.models:metadata"."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from surefoot.errors import ConfigurationInvalid, ModelsNotImportable, SurefootError
from surefoot.wording import nearest, raised

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def imported(reference: str) -> Any:
    """The object that an import string names: "package.module:attribute".

    On failure: ConfigurationInvalid where it is no import string; ModelsNotImportable where the
    module has no such attribute; whatever the import of the module raises.
    """
    module, colon, attributes = reference.partition(":")
    if not (module and colon and attributes):
        raise ConfigurationInvalid(
            reference or '""', 'it is not an import string such as "shop.models:metadata"'
        )
    found: Any = import_module(module)
    try:
        return attrgetter(attributes)(found)
    except AttributeError:
        near = nearest(attributes, vars(found))
        meant = f"did you mean {module}:{near}? " if near else ""
        raise ModelsNotImportable(
            f"{module!r} has no attribute {attributes!r}", f"{meant}correct it in env.py"
        ) from None


def metadata_of(source: MetaData | str) -> MetaData:
    """The MetaData, or that which an import string names.

    On failure: ConfigurationInvalid where it is no import string; ModelsNotImportable.
    """
    from sqlalchemy import MetaData  # noqa: PLC0415 - a service does without

    try:
        found = imported(source) if isinstance(source, str) else source
    except SurefootError:
        raise
    except ImportError as error:
        raise not_installed(error) from error
    except Exception as error:
        place = _place(error)
        raise ModelsNotImportable(
            f"{place}: {raised(error)}" if place else raised(error), "correct it there"
        ) from error
    if isinstance(found, MetaData):
        return found
    named = source if isinstance(source, str) else getattr(found, "__name__", type(found).__name__)
    has_one = isinstance(getattr(found, "metadata", None), MetaData)
    meant = f"{named}.metadata" if has_one else "the MetaData of the models"
    raise ModelsNotImportable(f"{named} is no MetaData", f"name {meant} in env.py")


def not_installed(error: ImportError) -> ModelsNotImportable:
    """The error for a module, or a name in it, that this Python does not have."""
    install = "install the project: pip install -e ."
    missing = isinstance(error, ModuleNotFoundError) and "." not in (error.name or ".")
    return ModelsNotImportable(
        f"{error} (this is {sys.executable})",
        f"activate the virtual environment and {install}"
        if missing
        else f"correct the name, or {install}",
    )


def _place(error: Exception) -> str:
    """The line of the module whose import has failed, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{os.path.relpath(f.filename)}:{f.lineno}" for f in frames if f.name == "<module>"]
    return lines[-1] if lines else ""
