"""The extension or the schema that the models need, by PostgreSQL's message that it is missing."""

import re

from sqlalchemy import Connection, text

from surefoot.quoting import quoted

# Also a function, and an access method, which may lack an operator class for a type.
_MISSING = re.compile(
    r'(?:type|operator class|required extension|foreign-data wrapper|text search \w+) "([^"]+)"'
    r'|function (\w+)\(|access method "(\w+)"(?: does not exist)?$'
)
_NO_SCHEMA = re.compile(r'schema "(.+)" does not exist$')
# Names of objects whose extension is called otherwise.
_OF = {
    "btree_gin": "gin",
    "btree_gist": "gist",
    "earthdistance": "earth(?:_box|_distance)?|ll_to_earth",
    "fuzzystrmatch": "levenshtein(?:_less_equal)?|soundex|d?metaphone(?:_alt)?|daitch_mokotoff",
    "hstore": r"gi\w+_hstore_ops|hstore_\w+",
    "intarray": r"gi\w+__int(?:big)?_ops|query_int|icount",
    "isn": "ean13|is[bms]n(?:13)?|upc",
    "lo": "lo_manage",
    "ltree": r"lquery|ltxtquery|gist_\w*ltree_ops|nlevel|sub(?:ltree|path)|text2ltree",
    "pg_trgm": r"gi\w+_trgm_ops|(?:strict_)?(?:word_)?similarity|show_trgm",
    "pgcrypto": r"crypt|digest|gen_salt|hmac|gen_random_bytes|(?:en|de)crypt(?:_iv)?|(?:de)?armor"
    r"|pgp_\w+",
    "postgis": r"geography|geometry|box[23]d\w*|st_\w+|(?:gist|spgist|brin)_geo\w+",
    "postgis_raster": "raster",
    "postgis_topology": "topogeometry",
    "tablefunc": r"crosstab\w*|connectby|normal_rand",
    "uuid-ossp": r"uuid_(?:generate|ns)_\w+|uuid_nil",
    "vector": r"(?:half|sparse)vec|(?:vector|halfvec|sparsevec)_\w+_ops|bit_(?:hamming|jaccard)_ops"
    r"|hnsw|ivfflat|binary_quantize|subvector|(?:cosine|hamming|jaccard|l[12])_distance"
    r"|inner_product|l2_norm\w*",
}
# Those whose type, dictionary or wrapper is called as they are.
_NAMESAKES = ("citext", "cube", "hstore", "ltree", "postgres_fdw", "seg", "unaccent", "vector")
_AVAILABLE = text(
    "SELECT name FROM pg_available_extensions WHERE name = :name AND installed_version IS NULL"
)


def missing_schema(message: str) -> str | None:
    """The schema that the message misses; None where it misses something else."""
    found = _NO_SCHEMA.search(message)
    return found and found[1]


def missing_extension(connection: Connection, message: str) -> str | None:
    """The extension that is available and has what the message misses; None where none is known."""
    name = _missing(message)
    if name is None:
        return None
    available: str | None = connection.scalar(_AVAILABLE, {"name": _extension(name) or name})
    return available


def hint(message: str) -> str | None:
    """The help where the message misses what a known extension has; None where it does not."""
    name = _missing(message)
    found = name and (_extension(name) or (name if name in _NAMESAKES else None))
    if not found:
        return None
    create = f"CREATE EXTENSION IF NOT EXISTS {quoted(found)}"
    return (
        f"if it is of the extension {found}, create that before: op.execute('{create}'); where an "
        f"operator does, Environment(extensions=[{found!r}]) gives it to scratch databases"
    )


def _missing(message: str) -> str | None:
    found = _MISSING.search(message)
    return found and next(filter(None, found.groups())).removesuffix("[]")


def _extension(name: str) -> str | None:
    # Names without quotation marks are in lower case.
    return next((each for each, names in _OF.items() if re.fullmatch(names, name)), None)
