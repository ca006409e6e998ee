"""Values of settings that give names to several things: volumes and targets."""

from __future__ import annotations

import re
from pathlib import Path


def volumes_of(value: object) -> object:
    """`usr=/usr,home=/home/me` as a mapping; a path alone is named by its last part."""
    if not isinstance(value, str):
        return value
    volumes: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in value.split(","))):
        name, equals, root = item.partition("=")
        if not equals:
            name, root = Path(item).name or "root", item
        if not name or not root:
            raise ValueError("a volume lacks its name or its path; write name=/path")
        if re.search("[\ud800-\udfff]", name):
            raise ValueError("the name of a volume is not UTF-8; write name=/path")
        if name in volumes:
            raise ValueError(f"the volume name {name!r} is given twice; write name=/path")
        for known in volumes:
            if known.lower() == name.lower():
                raise ValueError(f"the volume names {known!r} and {name!r} differ in case only")
        volumes[name] = root
    return volumes


def targets_of(value: object) -> object:
    """`eu=postgresql://… us=postgresql://…` as a mapping: a URL may hold a comma, and no space."""
    if not isinstance(value, str):
        return value
    targets: dict[str, str] = {}
    for item in value.split():
        name, equals, url = item.partition("=")
        # Without a name the item is a URL, whose password no message may show.
        if not equals or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError("write name=postgresql://… name=postgresql://…, with spaces between")
        if name in targets:
            raise ValueError(f"the target {name!r} is given twice")
        targets[name] = url
    return targets
