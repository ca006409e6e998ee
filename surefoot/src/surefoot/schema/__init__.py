"""Tables with columns, keys and comments as they are at a revision, and what a revision changes.

revisions -> a scratch database -> Catalog --+-> Picture -> Markdown, Mermaid, SVG
                                             '-> SQL
"""

from surefoot.schema.picture import Picture, picture
from surefoot.schema.reading import catalogs

__all__ = ["Picture", "catalogs", "picture"]
