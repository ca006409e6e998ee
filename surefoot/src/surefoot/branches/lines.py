"""Lines are the branches of a chain: what stands behind what by `down_revision` alone.

A revision that `depends_on` one of another branch runs after it, and stays in its own line.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.branches.renumbering import Key, key
from surefoot.chain.revisions import Revision, heads, labels_as_ids, parsed
from surefoot.chain.source import source_of
from surefoot.frozen import dataclass


@dataclass(frozen=True)
class Lines:
    """Revision files, each with the labels that it gives; the labels that it names are ids here."""

    files: Sequence[tuple[Revision, Sequence[str]]]
    # The down_revision of each, by its names, and by its id where no other one has that.
    downs: Mapping[Key | str, Sequence[str]]

    def alone(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """The revisions without those that they only depend on."""
        named = [(each, self.downs.get(key(each), self.downs.get(each.id))) for each in revisions]
        return tuple(each if d is None else replace(each, down=tuple(d)) for each, d in named)

    def heads(self, revisions: Sequence[Revision]) -> Collection[str]:
        """The newest of each line."""
        return heads(self.alone(revisions))

    def divided(self, revisions: Sequence[Revision]) -> Sequence[Sequence[Revision]]:
        """The revisions by their lines; a merge makes one of several."""
        found: list[list[Revision]] = []
        for each in self.alone(revisions):
            near = [
                line
                for line in found
                if any(other.id in each.down or each.id in other.down for other in line)
            ]
            found = [line for line in found if line not in near]
            found.append([*(other for line in near for other in line), each])
        return found


def read_lines(codes: Mapping[str, bytes]) -> Lines:
    """The lines of these files. On failure: RevisionsBroken."""
    files: list[tuple[Revision, Sequence[str]]] = []
    downs: dict[Key | str, Sequence[str]] = {}
    for name, code in codes.items():
        revision, labels = parsed(Path(name), code)
        if revision is None:
            continue
        files.append((revision, labels))
        needs = source_of(Path(name), code).names.get("depends_on")
        count = len(needs) if isinstance(needs, (tuple, list, set)) else int(isinstance(needs, str))
        down = revision.down[: len(revision.down) - count]
        downs[key(revision)] = downs[revision.id] = down
    ids = [revision.id for revision, _ in files]
    for each in {each for each in ids if ids.count(each) > 1}:
        del downs[each]
    labelled = {label: revision.id for revision, labels in files for label in labels}
    return Lines([(labels_as_ids(each, labelled), labels) for each, labels in files], downs)
