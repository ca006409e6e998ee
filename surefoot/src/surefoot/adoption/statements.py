"""The statements by which an env.py runs migrations, and where each of the others belongs.

Surefoot's environment connects, opens transactions and runs revisions by itself. So a statement
that does one of these is understood; a person, who knows its purpose, has to move another one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

# Calls that begin or end a connection, a transaction or an event loop, by their last name.
ENDS = frozenset(
    {"dispose", "close", "commit", "rollback", "set_event_loop", "set_event_loop_policy"}
    | {"get_event_loop", "get_running_loop"}
)
OPENS = frozenset({"connect", "begin", "begin_transaction", "begin_nested"})
# A stack of contexts, and the calls that enter one.
STACKS = frozenset({"ExitStack", "AsyncExitStack"})
_ENTERS = frozenset({"enter_context", "enter_async_context", "push"})
# Calls that run what they are given.
STARTERS = frozenset(
    {"run", "run_until_complete", "run_sync", "run_in_executor", "create_task", "ensure_future"}
)
FACTORIES = frozenset(
    {"create_engine", "create_async_engine", "engine_from_config", "async_engine_from_config"}
)
# Words in the condition of an `if` whose answer is known: a run by Alembic, on PostgreSQL, that
# connects by itself.
ANSWERED = frozenset(
    {"is_offline_mode", "dialect", "attributes", "__name__", "isinstance", "connection"}
    | {"connectable", "engine", *FACTORIES, *OPENS}
)
_NARRATES = frozenset(
    {"print", "debug", "info", "warning", "warn", "error", "exception", "critical", "print_exc"}
)
_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar"})
# Calls that only give a value.
_VALUES = frozenset(
    {
        "str",
        "bool",
        "int",
        "dict",
        "len",
        "list",
        "getattr",
        "hasattr",
        "isinstance",
        "get",
        "getenv",
    }
    | {"get_section", "get_main_option", "get_x_argument", "get_event_loop", "new_event_loop"}
    | {"get_running_loop", "replace", "format", "split", "strip", "startswith", "getLogger"}
    | {"render_as_string", "execution_options", "create_default_context", "make_url", "items"}
    | {"AsyncEngine", "Path", "set", "cast"}
)
# Arguments of an engine and of a connection that matter to nobody after a migration.
_OF_ENGINE = frozenset({
    "configuration", "echo", "echo_pool", "future", "hide_parameters", "isolation_level",
    "logging_name", "max_overflow", "pool_logging_name", "pool_pre_ping", "pool_recycle",
    "pool_reset_on_return", "pool_size", "pool_timeout", "pool_use_lifo", "poolclass", "prefix",
    "query_cache_size", "stream_results", "url",
})  # fmt: skip
_OF_CONNECTION = frozenset({"connect", "do_connect", "engine_connect", "first_connect", "begin"})
# Words in SQL -> where that goes; None: Surefoot has its own; empty: it is for another server.
_PLACES = (
    ("SEARCH_PATH", "name the schema in the URL, ?options=-csearch_path%3DNAME, or by ALTER ROLE"),
    ("SET ROLE", "name the role in the URL, ?options=-crole%3DNAME, or by ALTER ROLE"),
    ("CREATE SCHEMA", "create the schema once in each database, or in a revision"),
    ("CREATE EXTENSION", "create it once in each database; name it in Environment(extensions=[…])"),
    ("TIMEOUT", None),
    ("ADVISORY", None),
    ("LOCK TABLE", None),
    ("PRAGMA", ""),
)  # fmt: skip
_SEARCH_PATH = re.compile(
    r"\s*SET\s+(?:SESSION\s+|LOCAL\s+)?SEARCH_PATH\s*(?:TO|=)\s*([^\s;][^;]*?)[\s;]*", re.IGNORECASE
)
# Stands in a text for a value that is filled in.
_VALUE = "\0"
ABOVE = "move it to the top level of the file, where it runs for every command"
RUN_ONLY = "the top level has no {}: delete it, or write it there without"
AROUND = "the run is no longer inside of it: delete it, or let the top level do the same"
_LOCATIONS = (
    "name the folders in the ini file, `version_locations = …`: every command reads them there"
)
_IN_REVISION = "run it in a revision, or before `alembic upgrade`"
_LISTENER = "name settings of the session in the URL (?options=-cNAME%3DVALUE)"
_ARGUMENT = (
    "only the URL of the engine is used: write the argument into it, or hand in an engine of "
    "asyncpg, Environment(engine=…)"
)
_SCHEMA = "name the schemas in Environment(schemas=…)"
LOOP = (
    "one command migrates one database, or one schema: let an `alembic -x` argument name it, and "
    "run the command once for each"
)
DECORATOR = "Surefoot calls revisions by itself, and repeats one that waits for a lock; delete it"
CONDITION = "only a run can answer this; decide it at the top level of the file"
CHECK = "move the check to the top level of the file"


def contexts(tree: ast.Module) -> Iterator[str]:
    """The names under which the file knows `alembic.context`."""
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom) and each.module == "alembic":
            found = [alias for alias in each.names if alias.name == "context"]
            yield from (alias.asname or "context" for alias in found)
        elif isinstance(each, ast.Import):
            yield from ("alembic.context" for alias in each.names if "alembic" in alias.name)


def dotted(node: ast.expr) -> str:
    """A name or a chain of attributes as it is written; empty for anything else."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return node.id if isinstance(node, ast.Name) else ""


def last_name(call: ast.Call) -> str:
    """The last name of the function that is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else dotted(function)


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in a node."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def names(node: ast.AST) -> Iterator[str]:
    """The names that a node reads."""
    return (
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    )


def bound(node: ast.AST) -> Iterator[str]:
    """The names that a function gives a value itself, its arguments among them."""
    for each in ast.walk(node):
        if isinstance(each, ast.arg):
            yield each.arg
        elif isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id


def changed(node: ast.AST) -> Iterator[str]:
    """The names of the dictionaries whose items are set somewhere in it."""
    for each in ast.walk(node):
        is_item = isinstance(each, ast.Subscript) and not isinstance(each.ctx, ast.Load)
        is_call = isinstance(each, ast.Attribute) and each.attr in ("update", "setdefault", "pop")
        if is_item or is_call:
            yield dotted(each.value)  # type: ignore[attr-defined]  # both have it


def entered(value: ast.expr) -> ast.expr:
    """The context that a stack enters; any other value as it is, when it was awaited."""
    if isinstance(value, ast.Await):
        return entered(value.value)
    if isinstance(value, ast.Call) and last_name(value) in _ENTERS and len(value.args) == 1:
        return entered(value.args[0])
    return value


def is_quiet(value: ast.expr) -> bool:
    """Whether a value can be left out where nothing reads it."""
    quiet = _VALUES | FACTORIES | OPENS
    return all(last_name(each) in quiet for each in calls(value))


def is_narration(call: ast.Call) -> bool:
    """Whether a call only tells something."""
    return last_name(call) in _NARRATES


def unheard(call: ast.Call) -> str | None:
    """Where the arguments of an engine or a connection, and a listener to them, belong."""
    name = last_name(call)
    if name in ("listen", "listens_for"):
        events = {each.value for each in call.args if isinstance(each, ast.Constant)}
        return _LISTENER if events & _OF_CONNECTION else None
    given = {each.arg for each in call.keywords} - _OF_ENGINE
    if name == "execution_options" and "schema_translate_map" in given:
        return dict(_PLACES)["SEARCH_PATH"]
    return _ARGUMENT if given and name in (*FACTORIES, "execution_options") else None


def unescaped(url: ast.expr) -> ast.expr:
    """The URL without the percent signs that `set_main_option` needs doubled."""
    if not isinstance(url, ast.Call) or not isinstance(url.func, ast.Attribute):
        return url
    doubles = [getattr(each, "value", None) for each in url.args] == ["%", "%%"]
    return url.func.value if doubles else url


def search_path(call: ast.Call) -> ast.expr | None:
    """The search path that a call sets, as an option of libpq: `-csearch_path=…`."""
    if last_name(call) not in _EXECUTES or not call.args:
        return None
    sql = call.args[0]
    while isinstance(sql, ast.Call) and last_name(sql) in ("text", "SQL") and sql.args:
        sql = sql.args[0]
    given: list[ast.expr] = []
    match = _SEARCH_PATH.fullmatch(_template(sql, given))
    if match is None:
        return None
    parts = re.sub(r"\s*,\s*", ",", match[1]).split(_VALUE)
    values: list[ast.expr] = [ast.Constant(f"-csearch_path={parts[0]}")]
    for value, part in zip(given, parts[1:], strict=True):
        values += [ast.FormattedValue(value, -1), ast.Constant(part)]
    return ast.JoinedStr(values) if given else values[0]


def _template(sql: ast.expr, given: list[ast.expr]) -> str:
    """The text of an expression, with _VALUE for each of the values that are `given`."""
    if isinstance(sql, ast.Constant) and isinstance(sql.value, str):
        return sql.value
    if isinstance(sql, ast.JoinedStr):
        return "".join(_template(each, given) for each in sql.values)
    if isinstance(sql, ast.FormattedValue) and sql.conversion == -1 and sql.format_spec is None:
        given.append(sql.value)
        return _VALUE
    pattern, values = "", list[ast.expr]()
    if isinstance(sql, ast.BinOp) and isinstance(sql.op, ast.Mod):
        pattern = _template(sql.left, given).replace("%s", _VALUE)
        values = sql.right.elts if isinstance(sql.right, ast.Tuple) else [sql.right]
    elif isinstance(sql, ast.Call) and isinstance(sql.func, ast.Attribute) and not sql.keywords:
        pattern = _template(sql.func.value, given).replace("{}", _VALUE)
        values = sql.args if sql.func.attr == "format" else []
    given += values
    return pattern if pattern.count(_VALUE) == len(values) else ""


def place(call: ast.Call) -> str | None:
    """Where the effect of a call belongs, as `_PLACES` has it."""
    name = last_name(call)
    if name in ("listen", "listens_for"):
        return _LISTENER
    if name not in _EXECUTES:
        return ABOVE
    said = " ".join(
        each.value.upper()
        for each in ast.walk(call)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )
    return next((where for word, where in _PLACES if word in said), _IN_REVISION)


def _targets(statement: ast.stmt) -> Iterator[str]:
    """The names and attributes that a statement gives a value."""
    for each in ast.walk(statement):
        if isinstance(each, (ast.Name, ast.Attribute)) and isinstance(each.ctx, ast.Store):
            yield dotted(each)


def place_of(statement: ast.stmt) -> str:
    """Where a statement belongs that is no call."""
    if isinstance(statement, (ast.Raise, ast.Assert)):
        return CHECK
    if any(part.endswith(".version_locations") for part in _targets(statement)):
        return _LOCATIONS
    if "default_schema_name" in ast.unparse(statement):
        return _SCHEMA
    return ABOVE
