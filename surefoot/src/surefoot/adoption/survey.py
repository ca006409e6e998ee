"""Survey is everything that is known of a project before it is adopted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from surefoot.adoption.candidate import Candidate
from surefoot.adoption.changes import Change
from surefoot.adoption.past import WORST, by_rule
from surefoot.adoption.standing import Standing
from surefoot.adoption.trial import Trial
from surefoot.chain.revisions import heads
from surefoot.differences.model import Deviation
from surefoot.errors import AdoptionUnclear, SurefootError
from surefoot.frozen import dataclass
from surefoot.rules.findings import Finding


@dataclass(frozen=True)
class Survey:
    """A project, its trial, and the files that adopt it."""

    candidate: Candidate
    trial: Trial
    changes: Sequence[Change]
    lapses: Sequence[Finding] = ()
    # None where no database is named.
    standing: Standing | None = None
    # The differences of the models from the head; None where they were not compared, and why not.
    models: Sequence[Deviation] | None = None
    models_untried: str = ""

    @cached_property
    def obstacle(self) -> SurefootError | None:
        """Why nothing may be written."""
        env = self.candidate.env
        if env.left:
            places = [f"{each.line}: {each.code}: {each.where}" for each in env.left]
            return AdoptionUnclear(str(env.path), places)
        found = self.standing
        unfit = found.error if found is not None and found.answers else None
        return self.trial.failure or unfit

    def as_json(self) -> Mapping[str, Any]:
        candidate, standing = self.candidate, self.standing
        env, failure = candidate.env, self.trial.failure
        return {
            "schema_version": 1,
            "adopted": not self.changes,
            "ini": str(candidate.project.ini),
            "env": str(env.path),
            "lock": str(candidate.project.lock),
            "revisions": len(candidate.revisions),
            "heads": sorted(heads(candidate.revisions)),
            "labels": [*candidate.labels],
            "version_table": vars(self.trial.project.version_table),
            "schemas": [*env.schemas],
            "extensions": [*env.extensions],
            "options": [
                {"name": each.name, "value": each.value, "line": each.line}
                | {"treatment": each.treatment.word, "note": each.treatment.note}
                for each in env.options
            ],
            "replaced": [vars(each) for each in env.replaced],
            "to_move": [vars(each) for each in env.left],
            "template": [vars(each) for each in candidate.template],
            "past": {
                "findings": dict(by_rule(self.lapses)),
                "worst": [
                    {"place": each.place, "rule": each.rule, "consequence": each.consequence}
                    for each in self.lapses[:WORST]
                ],
            },
            "models": None if self.models is None else [each.as_json() for each in self.models],
            "models_untried": self.models_untried or None,
            "database": None if standing is None else standing.as_json(),
            "failure": failure and failure.as_json(),
            "obstacle": self.obstacle and self.obstacle.as_json(),
            "changes": [{"path": str(each.path), "after": each.after} for each in self.changes],
        }
