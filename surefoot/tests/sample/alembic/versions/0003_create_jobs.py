"""Create jobs, with an enum and a trigger."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE TYPE job_status AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')"
    )
    op.execute(
        """
        CREATE TABLE jobs (
            id bigint GENERATED ALWAYS AS IDENTITY,
            volume_id bigint NOT NULL,
            operation text NOT NULL,
            path text NOT NULL DEFAULT '',
            parameters jsonb NOT NULL DEFAULT '{}'::jsonb,
            status job_status NOT NULL DEFAULT 'PENDING',
            attempts integer NOT NULL DEFAULT 0,
            error text,
            worker text,
            lease_expires_at timestamptz,
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT ck_jobs_operation_not_empty CHECK (operation <> ''),
            CONSTRAINT ck_jobs_attempts_not_negative CHECK (attempts >= 0),
            CONSTRAINT ck_jobs_lease_has_worker
                CHECK ((worker IS NULL) = (lease_expires_at IS NULL)),
            CONSTRAINT fk_jobs_volume_id_volumes
                FOREIGN KEY (volume_id) REFERENCES volumes ON DELETE CASCADE,
            CONSTRAINT pk_jobs PRIMARY KEY (id)
        )
        """
    )
    op.execute("COMMENT ON COLUMN jobs.path IS 'The part of the volume to work on'")
    op.execute(
        """
        CREATE UNIQUE INDEX uq_jobs_active ON jobs (volume_id, operation, path)
        WHERE status IN ('PENDING', 'RUNNING')
        """
    )
    op.execute("CREATE INDEX ix_jobs_queue ON jobs (id) WHERE status IN ('PENDING', 'RUNNING')")
    op.execute("CREATE INDEX ix_jobs_volume_id ON jobs (volume_id)")
    op.execute("CREATE INDEX ix_jobs_parameters ON jobs USING gin (parameters)")
    op.execute(
        """
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$
        """
    )
    op.execute(
        """
        CREATE TRIGGER jobs_updated_at BEFORE UPDATE ON jobs
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE jobs")
    op.execute("DROP FUNCTION set_updated_at()")
    op.execute("DROP TYPE job_status")
