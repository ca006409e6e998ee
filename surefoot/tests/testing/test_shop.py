"""The tests of surefoot.testing in a project that is not this one, as its owner runs them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.server import Server
from harness.shop import Shop, failures

NAMED = "test_a_revision_is_named_by_what_it_does"
IMPORTS = "test_a_revision_imports_nothing_that_moves_on"
ROUND_TRIP = "test_a_revision_goes_up_down_and_up"
ROWS = "test_a_revision_applies_to_tables_with_rows_and_keeps_them"
SQL = "test_sql_of_a_revision_does_what_the_upgrade_does"
WHOLE_SQL = "test_sql_of_the_chain_does_what_the_upgrade_does"

OFFLINE_HELP = (
    "\n  help: let the revision do the same offline: context.is_offline_mode() is true there"
)
# A column that no row can be made for without being told.
CODE = """sa.Column('code', sa.Text, sa.CheckConstraint("md5(code) LIKE '900%'"), nullable=False)"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A healthy project."""
    return Shop(tmp_path / "shop")


def two_heads(shop: Shop) -> dict[str, str]:
    shop.revise("0004_count_visits", "pass", down="0002")
    return {
        "test_the_chain_has_one_head": "ERROR [revisions-broken]  the chain has 2 heads: "
        "0003_add_city_to_customers.py, 0004_count_visits.py\n"
        "  help: `surefoot rebase` puts the revisions of this branch behind those of the other; "
        "where the branches are meant: ChainTests(branches=True)"
    }


def branches(shop: Shop) -> dict[str, str]:
    shop.revise("0004_count_visits", "pass", down="0002")
    shop.revise("0005_merge", "pass", down=("0003", "0004"))
    return {
        "test_the_chain_has_one_head": "ERROR [revisions-broken]  0004_count_visits.py does not "
        "build on 0003 alone, and an upgrade does not stop between branches\n"
        "  help: begin after their merge: ChainTests(since=…); where the branches are meant: "
        "ChainTests(branches=True)"
    }


def unreadable(shop: Shop) -> dict[str, str]:
    path = shop.versions / "0003_add_city_to_customers.py"
    path.write_text("revision = ", "utf-8")
    message = (
        "ERROR [revisions-broken]  0003_add_city_to_customers.py:1 is not Python: invalid syntax\n"
        "  help: correct the file"
    )
    return dict.fromkeys(("test_the_chain_has_one_head", "test_the_lock_is_fresh"), message)


def stale_lock(shop: Shop) -> dict[str, str]:
    shop.revise("0004_count_visits", "pass", lock=False)
    return {
        "test_the_lock_is_fresh": "ERROR [lock-file-stale]  revisions.lock does not match the "
        "revision files: 0004 is not in it\n"
        "  help: run `surefoot lock` and commit the file"
    }


def forgetful_downgrade(shop: Shop) -> dict[str, str]:
    path = shop.versions / "0003_add_city_to_customers.py"
    path.write_text(path.read_text().replace("op.drop_column('customers', 'city')", "pass"))
    shop.lock()
    return {
        f"{ROUND_TRIP}[0003_add_city_to_customers]": "ERROR [round-trip-differs]  "
        "0003_add_city_to_customers.py: after up and down the schema is not what it was\n"
        "  unexpected column customers.city\n"
        "  help: let downgrade() undo all that upgrade() does, or raise with the reason why not"
    }


def failing_downgrade(shop: Shop) -> dict[str, str]:
    path = shop.versions / "0003_add_city_to_customers.py"
    path.write_text(path.read_text().replace("op.drop_column('customers', 'city')", "1 / 0"))
    shop.revise("0004_count_visits", "pass")
    return {
        f"{ROUND_TRIP}[0003_add_city_to_customers]": "FAILED [run-failed]  0003 failed: "
        "migrations/versions/0003_add_city_to_customers.py:16: ZeroDivisionError: division by "
        "zero\n"
        "  done: nothing\n  kept of 0003: nothing\n"
        "  help: correct the cause, then `alembic downgrade -1` again"
    }


def other_models(shop: Shop) -> dict[str, str]:
    shop.model('"city", sa.Text', '"city", sa.Date')
    return {
        "test_head_is_what_the_models_say": "ERROR [models-differ]  models and database have 1 "
        "difference\n"
        "  changed type of column customers.city: expected date, found text\n"
        '  help: alembic revision --autogenerate -m "…" writes them as a revision'
    }


def not_offline(shop: Shop) -> dict[str, str]:
    index_city(shop, "not context.is_offline_mode()")
    return {
        f"{SQL}[0004_index_city]": "ERROR [offline-differs]  `alembic upgrade 0003:0004 --sql` "
        f"gives a different database than the upgrade\n  missing index "
        f"ix_customers_city{OFFLINE_HELP}"
    }


def not_in_one_script(shop: Shop) -> dict[str, str]:
    index_city(shop, "not context.is_offline_mode() or context.get_starting_revision_argument()")
    return {
        WHOLE_SQL: "ERROR [offline-differs]  `alembic upgrade head --sql` "
        f"gives a different database than the upgrade\n  missing index "
        f"ix_customers_city{OFFLINE_HELP}"
    }


def index_city(shop: Shop, condition: str) -> None:
    shop.revise(
        "0004_index_city",
        f"if {condition}:\n    op.create_index('ix_customers_city', 'customers', ['city'])",
        "op.drop_index('ix_customers_city')",
        imports="from alembic import context\n",
    )
    shop.model('"city", sa.Text', '"city", sa.Text, index=True')


def alters_what_is_not_there(shop: Shop) -> dict[str, str]:
    path = shop.revise("0004_drop_street", "op.drop_column('customers', 'street')")
    message = (
        f"FAILED [run-failed]  0004 failed: migrations/versions/{path.name}:12: column "
        '"street" of relation "customers" does not exist (SQLSTATE 42703)\n'
        "  done: nothing\n  kept of 0004: nothing\n"
        "  help: correct the cause, then `alembic upgrade 0004` again"
    )
    return dict.fromkeys((f"{ROUND_TRIP}[{path.stem}]", f"{ROWS}[{path.stem}]"), message)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(forgetful_downgrade, marks=pytest.mark.slow),
        pytest.param(two_heads, marks=pytest.mark.slow),
        pytest.param(branches, marks=pytest.mark.slow),
        pytest.param(unreadable, marks=pytest.mark.slow),
        pytest.param(stale_lock, marks=pytest.mark.slow),
        pytest.param(failing_downgrade, marks=pytest.mark.slow),
        pytest.param(other_models, marks=pytest.mark.slow),
        pytest.param(not_offline, marks=pytest.mark.slow),
        pytest.param(not_in_one_script, marks=pytest.mark.slow),
        pytest.param(alters_what_is_not_there, marks=pytest.mark.slow),
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_fault_of_the_chain_is_told_once(
    server: Server, shop: Shop, fault: Callable[[Shop], dict[str, str]]
) -> None:
    """In full, and tests that cannot go on because of it are skipped."""
    expected = fault(shop)
    assert failures(shop.test(server.url)) == expected


@pytest.mark.slow
def test_branches_that_are_meant_are_tested(server: Server, shop: Shop) -> None:
    """Each revision goes up, down and up beside the others; two heads remain."""
    shop.tell("branches=True")
    table = "'visits', {}sa.Column('id', sa.Integer, primary_key=True)"
    shop.revise(
        "0004_count_visits",
        f"op.create_table({table.format('')})",
        "op.drop_table('visits')",
        down="0002",
    )
    shop.revise("0005_branch", "pass", down="0001")
    shop.revise("0006_merge", "pass", down=("0004", "0005"))
    table = f"sa.Table({table.format('metadata, ')})"
    shop.model("sa.MetaData()\n", f"sa.MetaData()\n{table}\n")
    assert failures(shop.test(server.url)) == {}
    shop.edit("migrations/versions/0004_count_visits.py", "op.drop_table('visits')", "pass")
    shop.lock()
    assert list(failures(shop.test(server.url))) == [f"{ROUND_TRIP}[0004_count_visits]"]


@pytest.mark.slow
def test_a_fault_of_a_revision_is_told_under_its_name(server: Server, shop: Shop) -> None:
    """In full, and the revisions after it are looked at all the same."""
    shop.revise("0004_", "pass")
    shop.revise("0005_mail_all", "pass", imports="from shop.models import customers\n")
    shop.revise(
        "0006_require_city",
        "op.alter_column('customers', 'city', nullable=False)",
        "op.alter_column('customers', 'city', nullable=True)",
    )
    shop.model('"city", sa.Text', '"city", sa.Text, nullable=False')
    shop.revise("0007_forget_the_paid", "op.execute(\"DELETE FROM orders WHERE state = 'paid'\")")
    shop.revise("0008_round", "op.execute('UPDATE orders SET euros = 7 WHERE euros IS NOT NULL')")
    shop.revise(
        "0009_create_vouchers",
        f"op.create_table('vouchers', {CODE})",
        "op.drop_table('vouchers')",
    )
    shop.model("sa.MetaData()\n", f"sa.MetaData()\nsa.Table('vouchers', metadata, {CODE})\n")
    shop.revise("0010_ask", "op.get_bind().execute(sa.text('SELECT 1')).one()")

    assert failures(shop.test(server.url)) == {
        f"{NAMED}[0004_]": "ERROR [revision-misnamed]  0004_.py is named by its id, '0004', alone\n"
        "  help: rename it to 0004_what_it_does.py, then `surefoot lock`",
        f"{IMPORTS}[0005_mail_all]": "ERROR [revision-imports]  0005_mail_all.py:5: shop.models "
        "may have changed when this revision runs on a new database\n"
        "  help: define the parts that the revision needs in its file, as they are now",
        f"{ROWS}[0006_require_city]": "ERROR [rows-refused]  0006_require_city.py fails on a "
        "database with rows: migrations/versions/0006_require_city.py:12: column "
        '"city" of relation "customers" contains null values (SQLSTATE 23502)\n'
        "  help: correct the rows in the revision first; or set in ChainTests(values=…) the values "
        "of such rows, or in ChainTests(between=…) what happens before this revision",
        f"{ROWS}[0007_forget_the_paid]": "ERROR [rows-lost]  0007_forget_the_paid.py loses data "
        "and does not declare it\n"
        "  4 of 20 rows of orders\n"
        "  help: keep the data, or declare the loss in the docstring: `Loses: orders; …`, with "
        "the reason",
        f"{ROWS}[0008_round]": "ERROR [rows-lost]  0008_round.py loses data and does not declare "
        "it\n  8 of 16 values of orders.euros\n"
        "  help: keep the data, or declare the loss in the docstring: `Loses: orders.euros; …`, "
        "with the reason",
        "test_rows_are_made_for_every_table": "ERROR [rows-missing]  rows could not be made "
        "for every table\n"
        "  vouchers: no row that was tried met its conditions\n"
        '  help: set the values of its columns: ChainTests(values={"vouchers.…": "…"}), as SQL, '
        "with the number of the row as n",
        f"{SQL}[0010_ask]": "ERROR [offline-impossible]  `alembic upgrade 0009:0010 --sql` does "
        "not work: migrations/versions/0010_ask.py:12: AttributeError: 'NoneType' object has no "
        "attribute 'one'\n"
        "  help: offline there is no database to query: write the step in SQL",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [["-p", "no:asyncio"], ["-o", "asyncio_mode=strict"], ["-o", "asyncio_mode=auto"]],
    ids=["no plugin", "strict", "auto"],
)
def test_a_healthy_project_passes(server: Server, shop: Shop, options: list[str]) -> None:
    """Whichever way its other tests are asynchronous, and whatever it has declared."""
    shop.tell(
        """values={"vouchers.code": "'abc'"},
        between={"0003": "UPDATE customers SET city = 'Ulm' WHERE city IS NULL"}"""
    )
    shop.revise(
        "0004_require_city",
        "op.alter_column('customers', 'city', nullable=False)",
        "op.alter_column('customers', 'city', nullable=True)",
    )
    shop.model('"city", sa.Text', '"city", sa.Text, nullable=False')
    shop.revise(
        "0005_forget_the_paid",
        "op.execute(\"DELETE FROM orders WHERE state = 'paid'\")\n"
        "op.execute(\"UPDATE customers SET mail = 'x'\")",
        "raise NotImplementedError('they are gone')",
        docstring="Forget the paid.\n\nLoses: orders that are paid, as the law has it, and\n"
        "customers.mail of everybody.\nUndo: no.\n",
    )
    shop.revise(
        "0006_create_vouchers",
        f"op.create_table('vouchers', {CODE})\n"
        "op.alter_column('orders', 'euros', new_column_name='amount')",
        "op.alter_column('orders', 'amount', new_column_name='euros')\nop.drop_table('vouchers')",
    )
    shop.model("sa.MetaData()\n", f"sa.MetaData()\nsa.Table('vouchers', metadata, {CODE})\n")
    shop.model('"euros"', '"amount"')
    shop.revise(
        "0007_index_city",
        "op.create_index_concurrently('ix_customers_city', 'customers', ['city'])",
        "op.drop_index_concurrently('ix_customers_city')",
    )
    shop.model("nullable=False),\n)\nsa.Table", "nullable=False, index=True),\n)\nsa.Table")
    (shop.folder / "tests" / "test_other.py").write_text(
        "import asyncio, pytest\n\n"
        + ("" if "no:asyncio" in options else "@pytest.mark.asyncio\nasync ")
        + "def test_of_the_shop():\n    "
        + ("pass" if "no:asyncio" in options else "await asyncio.sleep(0)")
        + "\n"
    )

    results = shop.test(server.url, *options)

    assert failures(results) == {}
    assert results.pop(f"{ROUND_TRIP}[0005_forget_the_paid]") == (
        "skipped: no downgrade: they are gone"
    )
    assert set(results.values()) == {"passed"}


@pytest.mark.slow
def test_a_long_chain_is_walked_from_where_it_says(server: Server, shop: Shop) -> None:
    """Older revisions are applied in one go, and only their files are read."""
    forgetful_downgrade(shop)
    branches(shop)
    shop.revise("0006_rest", "pass")
    shop.tell('since="0006"')
    results = shop.test(server.url)
    assert failures(results) == {}
    walked = [name for name in results if name.startswith((ROUND_TRIP, ROWS, SQL))]
    assert walked == [f"{test}[0006_rest]" for test in sorted((ROUND_TRIP, ROWS, SQL))]
    assert f"{NAMED}[0001_create_customers]" in results


@pytest.mark.slow
def test_what_cannot_be_is_not_left_alone(server: Server, shop: Shop) -> None:
    """A column that is told and never comes, in full."""
    shop.tell('values={"customers.town": "\'Ulm\'"}')
    message = (
        "ERROR [usage]  ChainTests(values=…) names customers.town, which no revision creates\n"
        "  help: write it as table.column"
    )
    told = failures(shop.test(server.url))
    assert {name.partition("[")[0] for name in told} == {ROWS, "test_rows_are_made_for_every_table"}
    assert all(message in text for text in told.values())


@pytest.mark.slow
def test_what_happens_between_has_to_be_possible(server: Server, shop: Shop) -> None:
    """Its error is told, with the revision that it follows."""
    shop.tell('between={"0003": "SELECT wrong"}')
    done = shop.pytest(server.url)
    assert 'ChainTests(between=…) fails after 0003: column "wrong" does not exist' in done.stdout


@pytest.mark.slow
def test_a_module_that_names_no_project_is_told_so(server: Server, shop: Shop) -> None:
    """Before any test runs."""
    shop.edit("tests/test_migrations.py", "MIGRATIONS =", "OTHER =")
    done = shop.pytest(server.url)
    assert done.returncode == 2
    assert (
        "test_migrations imports the tests of a chain but does not name one: "
        "define MIGRATIONS = ChainTests(ini, metadata) in it"
    ) in done.stdout


@pytest.mark.slow
def test_the_version_table_may_have_another_name(server: Server, shop: Shop) -> None:
    """Neither sample rows nor the comparison of the schema touch it."""
    shop.edit("migrations/env.py", ").run()", ', version_table="shop_version").run()')
    module = "tests/test_migrations.py"
    shop.edit(module, "import pytest\n", "import pytest\nfrom surefoot.version_table import *\n")
    shop.tell('version_table=VersionTable("shop_version")')
    assert failures(shop.test(server.url)) == {}
