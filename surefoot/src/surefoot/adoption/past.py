"""lapses() finds in the files of a past the code that a new revision may not have.

refuse_arguments() finds what no run by Surefoot could call.
"""

import ast
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from surefoot.chain.coding import parsed, text_of
from surefoot.chain.revisions import Revision
from surefoot.chain.source import FUNCTIONS
from surefoot.errors import CommitsByItself, ConfigurationInvalid
from surefoot.rules.findings import Finding, Hit, Rule, TracedRevision, examine
from surefoot.rules.registry import RULES

_ENDS = ("autocommit_block", "commit", "rollback")
_SQL = re.compile(r"\s*(COMMIT|ROLLBACK(?!\s+TO)|END|ABORT)\b", re.IGNORECASE)
# So many are shown.
WORST = 5
# Only rules that read a file are asked: they are the same for every version of PostgreSQL.
_ANY_MAJOR = 18


def _ends_transaction(unit: TracedRevision) -> Iterator[Hit]:
    for node in ast.walk(parsed(unit.source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in _ENDS:
            yield Hit(line=node.lineno, values={"how": f"{node.func.attr}()"})
        elif node.func.attr in ("execute", "exec_driver_sql"):
            texts = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
            for each in texts:
                if isinstance(each, str) and (match := _SQL.match(each)):
                    yield Hit(line=node.lineno, values={"how": match[1].upper()})


_ENDS_TRANSACTION = Rule(
    id=CommitsByItself.code,
    title="A revision that ends its transaction",
    consequence="{how}",
    help=CommitsByItself.helps,
    rewrite="op.create_index_concurrently(…)",
    detect=_ends_transaction,
    seen="read",
)
_READ = (_ENDS_TRANSACTION, *(each for each in RULES.values() if each.seen == "read"))


def lapses(revisions: Sequence[Revision]) -> tuple[Finding, ...]:
    """The findings in the files, those that end their transaction first, then the newest first."""
    found: list[Finding] = []
    for revision in reversed(revisions):
        assert revision.path is not None
        source = text_of(revision.path)
        unit = TracedRevision(revision.id, revision.path, revision.phase, source=source)
        found += examine(unit, _READ, _ANY_MAJOR)
    return tuple(sorted(found, key=_rank))


def refuse_arguments(revisions: Sequence[Revision]) -> None:
    """On failure: ConfigurationInvalid, where a function of a revision needs an argument."""
    for revision in revisions:
        assert revision.path is not None
        for node in parsed(text_of(revision.path)).body:
            if not isinstance(node, ast.FunctionDef) or node.name not in FUNCTIONS:
                continue
            given = [*node.args.posonlyargs, *node.args.args]
            needed = given[: len(given) - len(node.args.defaults)]
            only = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            needed += [each for each, default in only if default is None]
            if needed:
                names = ", ".join(each.arg for each in needed)
                raise ConfigurationInvalid(
                    f"{os.path.relpath(revision.path)}:{node.lineno}",
                    f"{node.name}() needs {names}, which an env.py for several databases gives, "
                    "and Surefoot runs it without arguments",
                    "give it a default in each revision, such as a variable of the environment",
                )


def by_rule(found: Collection[Finding]) -> Sequence[tuple[str, int]]:
    """The rules that are broken, each with the number of its findings."""
    return [*Counter(each.rule for each in found).items()]


def _rank(finding: Finding) -> tuple[bool, bool]:
    return finding.rule != _ENDS_TRANSACTION.id, finding.level != "error"
