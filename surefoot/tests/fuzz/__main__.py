"""A fuzz of autogenerate: pairs of models by chance, each taken there and back.

    python -m fuzz --seeds 200 --seed 1      seeds 1 to 200
    python -m fuzz --replay 17               that one alone, made small, with its files

The exit code is 1 where a promise did not hold; each such pair is printed as small as it gets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fuzz.generator import ROLE, pair
from fuzz.models import Model, renames, source
from fuzz.shrinking import shrunk
from fuzz.trial import APART, NO_MODELS, Place, tried
from harness.databases import Databases, connect
from harness.generation import ACCESS
from harness.server import Server, forget_configuration, own_server, sweep

PROGRESS_SEEDS = 25


def main() -> int:
    arguments = _arguments()
    forget_configuration()
    sweep()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    embedded = own_server(uuid.uuid4().hex, arguments.pg_major)
    with embedded.use() as running:
        return asyncio.run(_run(Server(running.url("postgres"), embedded), arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--replay", type=int, help="one seed")
    parser.add_argument("--no-lint", action="store_true", help="leave out the rules")
    parser.add_argument("--whole", action="store_true", help="do not make a failing pair small")
    major = int(os.environ.get("SUREFOOT_TEST_PG_MAJOR", "18"))
    parser.add_argument("--pg-major", type=int, default=major)
    return parser.parse_args()


async def _run(server: Server, arguments: argparse.Namespace) -> int:
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    if arguments.replay is not None:
        seeds = range(arguments.replay, arguments.replay + 1)
    print(f"fuzz: {len(seeds)} pairs of models from seed {seeds[0]}", flush=True)
    wrong, refused, began_s = [], 0, time.monotonic()
    async with _bench(server) as (connection, scratch):
        linted = None if arguments.no_lint else scratch
        for number, seed in enumerate(seeds, 1):
            before, after = pair(random.Random(seed))
            place = Place.of(seed)
            said, files = await tried(connection, linted, before, after, place)
            refused += files == NO_MODELS
            if said is not None:
                wrong.append(seed)
                if not arguments.whole:
                    before, after, said, files = await shrunk(
                        connection, linted, before, after, said, place
                    )
                shown = files if arguments.replay is not None else ""
                _tell(seed, f"{said}\n{place}", before, after, shown)
            if number % PROGRESS_SEEDS == 0:
                passed_s = time.monotonic() - began_s
                print(f"{number} pairs, {len(wrong)} wrong, {passed_s:.0f} s", flush=True)
    passed_s = time.monotonic() - began_s
    listed = f": seeds {', '.join(map(str, wrong))}" if wrong else ""
    said = f"{refused} that PostgreSQL does not take, {len(wrong)} wrong{listed}"
    print(f"{len(seeds)} pairs in {passed_s:.0f} s, {said}")
    return 1 if wrong else 0


def _tell(seed: int, said: str, before: Model, after: Model, files: str) -> None:
    declared = ", ".join(f"{old} to {new}" for old, new in renames(before, after).items())
    said += f"\nrenamed: {declared}" if declared else ""
    print(f"\nseed {seed}: {said}\n\n{source(before, 'before')}\n{source(after, 'after')}")
    print(f"{files}\nreplay: --replay {seed}\n", flush=True)


@asynccontextmanager
async def _bench(server: Server) -> AsyncIterator[tuple[AsyncConnection, AsyncEngine]]:
    """A database for the files, and another one to lint them on."""
    async with AsyncExitStack() as ends:
        admin: asyncpg.Connection = await connect(server.url)
        ends.push_async_callback(admin.close)
        await admin.execute(f"CREATE ROLE {ROLE}")
        databases = Databases(server, admin, "fuzz")
        made = await databases.empty(), await databases.empty()
        for each in made:
            await admin.execute(f"ALTER DATABASE {each.name} SET search_path = public, {APART}")
        engines = [each.access.engine("migrate") for each in made]
        for engine in engines:
            ends.push_async_callback(engine.dispose)
        connection = await ends.enter_async_context(engines[0].connect())
        connection.info[ACCESS] = made[0].access
        yield connection, engines[1]


if __name__ == "__main__":
    sys.exit(main())
