"""Create media_types.

files.media_type becomes a reference to this table. The release that runs meanwhile writes
media_type alone, and the trigger gives its rows the reference. The trigger adds types that are new
one transaction at a time, because two that add the same ones in another order would deadlock.

Locks: ACCESS EXCLUSIVE on files, catalogue change only.
Undo: ACCESS EXCLUSIVE on files, catalogue change only; the column and the table that are dropped
repeat files.media_type.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "media_types",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_types")),
        sa.UniqueConstraint("name", name=op.f("uq_media_types_name")),
        comment="The media types of files",
    )
    op.add_column(
        "files",
        sa.Column(
            "media_type_id",
            sa.BigInteger(),
            nullable=True,
            comment="The row of media_type in media_types",
        ),
    )
    op.execute("""
CREATE FUNCTION set_media_type_id()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    SELECT id INTO NEW.media_type_id FROM media_types WHERE name = NEW.media_type;
    IF NEW.media_type_id IS NULL AND NEW.media_type IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock('media_types'::regclass::bigint);
        INSERT INTO media_types (name) VALUES (NEW.media_type) ON CONFLICT (name) DO NOTHING;
        SELECT id INTO NEW.media_type_id FROM media_types WHERE name = NEW.media_type;
    END IF;
    RETURN NEW;
END
$function$
""")
    op.execute(
        "CREATE TRIGGER files_media_type_id_insert BEFORE INSERT ON files FOR "
        "EACH ROW WHEN (new.media_type IS NOT NULL AND new.media_type_id IS "
        "NULL) EXECUTE FUNCTION set_media_type_id()"
    )
    op.execute(
        "CREATE TRIGGER files_media_type_id_update BEFORE UPDATE ON files FOR "
        "EACH ROW WHEN (new.media_type IS NOT NULL AND new.media_type_id IS "
        "NULL OR new.media_type IS DISTINCT FROM old.media_type AND NOT "
        "new.media_type_id IS DISTINCT FROM old.media_type_id) EXECUTE FUNCTION"
        " set_media_type_id()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER files_media_type_id_update ON files")
    op.execute("DROP TRIGGER files_media_type_id_insert ON files")
    op.execute("DROP FUNCTION set_media_type_id()")
    op.drop_column("files", "media_type_id")
    op.drop_table("media_types")
