"""module_of() runs a file of the project as a module, by its text."""

import ast
import sys
from pathlib import Path
from types import ModuleType


def module_of(name: str, path: Path, code: bytes | ast.Module) -> ModuleType:
    """The module that the code of a file makes. On failure: what the code raises.

    Not by an import: that may take the compiled file of another text of the same length. Python
    looks a class up by the name of its module, for its annotations, so that name is known.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(code, str(path), "exec"), vars(module))  # noqa: S102 - of the project itself
    return module
