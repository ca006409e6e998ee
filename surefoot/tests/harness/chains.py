"""Chains of revisions with every kind of step, for tests that stop them anywhere."""

from __future__ import annotations

from harness.runs import Chain


def short(chain: Chain) -> set[str]:
    """Tables, rows and an index that is built concurrently; the ids of steps outside."""
    chain.add(
        """
        op.create_table("t", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO t SELECT generate_series(1, 9)")
        """,
        "op.drop_table('t')",
    )
    return {
        chain.add(
            'op.create_index_concurrently("t_key", "t", ["id"], unique=True)',
            'op.drop_index_concurrently("t_key")',
        )
    }


def long(chain: Chain) -> set[str]:
    """Every kind of step that a chain has; the ids of those outside a transaction."""
    outside = short(chain)
    chain.add(
        """
        op.execute("CREATE TYPE mood AS ENUM ('good')")
        op.add_column("t", sa.Column("n", sa.BigInteger, server_default="1", nullable=False))
        op.execute("UPDATE t SET n = n + id")
        op.execute("ALTER TABLE t ADD CONSTRAINT n_positive CHECK (n > 0) NOT VALID")
        op.execute("ALTER TABLE t VALIDATE CONSTRAINT n_positive")
        """,
        """
        op.drop_column("t", "n")
        op.execute("DROP TYPE mood")
        """,
    )
    chain.add("op.add_enum_value('mood', 'bad')", "op.replace_enum('mood', ['good'])")
    outside.add(chain.add('op.reindex_concurrently("t_key")'))
    chain.add(
        """
        op.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
        op.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (1) TO (9)")
        op.execute("INSERT INTO p VALUES (1), (2)")
        """,
        "op.execute('DROP TABLE p, p_1')",
    )
    outside.add(
        chain.add(
            'op.detach_partition_concurrently("p", "p_1")',
            'op.execute("ALTER TABLE p ATTACH PARTITION p_1 FOR VALUES FROM (1) TO (9)")',
        )
    )
    outside.add(
        chain.add(
            'op.drop_index_concurrently("t_key")',
            'op.create_index_concurrently("t_key", "t", ["id"], unique=True)',
        )
    )
    return outside
