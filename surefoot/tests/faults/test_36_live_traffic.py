"""Requests go on while revisions are applied, beside a transaction that takes long."""

import asyncio

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.probes import LATE, probing
from harness.runs import Chain, Launcher
from surefoot.connect.limits import Limits

# Half a second spares the quick run; ten is the case that is promised.
HOLDS_S = [0.5, pytest.param(10, marks=pytest.mark.slow)]
STALL_S = Limits.lock_timeout_s + 0.05
GOES_ON_WITHIN_S = 0.5
ROWS = 1000
READ = """
CREATE FUNCTION reads() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE asked timestamptz := clock_timestamp();
BEGIN
    PERFORM FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = 1 + random() * 900;
    RETURN extract(epoch FROM clock_timestamp() - asked);
END $$
"""
WRITE = """
CREATE FUNCTION writes() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE asked timestamptz := clock_timestamp();
BEGIN
    INSERT INTO orders (customer_id, reference, cents) VALUES (1, gen_random_uuid(), 1);
    RETURN extract(epoch FROM clock_timestamp() - asked);
END $$
"""
CHANGES = (
    "op.add_column('orders', sa.Column('priority', sa.Integer(), server_default='0'))",
    "op.execute('ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id)"
    " REFERENCES customers (id) NOT VALID')",
    "op.execute('ALTER TABLE orders VALIDATE CONSTRAINT fk')",
    "op.create_index_concurrently('uq', 'orders', ['reference'], unique=True)",
    "op.execute('ALTER TABLE orders ADD CONSTRAINT uq UNIQUE USING INDEX uq')",
    "op.execute('ALTER TABLE orders ADD CONSTRAINT ck CHECK (cents >= 0) NOT VALID')",
)


@pytest.mark.slow
@pytest.mark.parametrize("hold_s", HOLDS_S)
@pytest.mark.parametrize(
    "holds",
    [
        "SELECT FROM orders LIMIT 1",
        pytest.param("UPDATE orders SET cents = 2 WHERE id = 1", marks=pytest.mark.slow),
    ],
)
async def test_nobody_waits_for_long(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    hold_s: float,
    holds: str,
) -> None:
    """With default settings; before each change a transaction is begun, and left open."""
    url = empty_database.url
    chain.add(
        f"""
        op.execute("CREATE TABLE customers AS SELECT n AS id FROM generate_series(1, 10) n")
        op.execute("ALTER TABLE customers ADD PRIMARY KEY (id)")
        op.execute("CREATE TABLE orders (id serial PRIMARY KEY, customer_id int NOT NULL, "
                   "reference text, cents int)")
        op.execute("INSERT INTO orders (customer_id, reference, cents) "
                   "SELECT 1 + n % 10, n, n FROM generate_series(1, {ROWS}) n")
        """
    )
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    await watcher.execute(READ + ";" + WRITE)
    late_s: list[float] = []
    stalls_s: list[float] = []
    over = asyncio.Event()
    clients = [
        asyncio.create_task(probing(url, seconds, over, query))
        for seconds, query in (
            *[(stalls_s, "SELECT reads()"), (stalls_s, "SELECT writes()")] * 3,
            (late_s, LATE),
        )
    ]
    went_on_s = []
    # Only the first is held up for long: the others would each take as long.
    for number, change in enumerate(CHANGES):
        chain.add(change)
        holder = await connect(url, "holder")
        await holder.execute(f"BEGIN; {holds}")
        run = await launcher.start(chain, "upgrade", "head", url=url)
        while not run.has_ended and "for:" not in run.said and "BLOCKED" not in run.said:
            await asyncio.sleep(0.02)
        await asyncio.sleep(hold_s if number == 0 else 0)
        ended = await holder.fetchval("SELECT clock_timestamp()")
        await holder.execute("COMMIT")
        await holder.close()
        result = await run.end()
        assert result.code == 0, result.err
        went_on_s.append(
            await watcher.fetchval(
                "SELECT extract(epoch FROM started_at - $1)::float8 "
                "FROM alembic_version_ledger WHERE outcome = 'applied' ORDER BY id DESC LIMIT 1",
                ended,
            )
        )
    over.set()
    await asyncio.gather(*clients)
    print(f"longest stall {max(stalls_s):.3f} s, went on after {max(went_on_s):.3f} s")
    assert max(stalls_s) <= STALL_S + max(late_s)
    assert max(went_on_s) <= GOES_ON_WITHIN_S + max(late_s)
