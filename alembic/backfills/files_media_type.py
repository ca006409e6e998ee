"""Give each file with a media type its reference to media_types.

Every type is in the table: revision 0010 added those of the rows that were there, and the trigger
adds those of rows that are written since.
"""

from surefoot import Backfill


class FilesMediaType(Backfill):
    after = "0010"
    table = "files"
    todo = "media_type IS NOT NULL AND media_type_id IS NULL"
    sets = {"media_type_id": "(SELECT id FROM media_types WHERE name = files.media_type)"}  # noqa: RUF012 - a constant
