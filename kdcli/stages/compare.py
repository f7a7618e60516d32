"""`kd compare`: the evidence on a run's students, kept as `compare.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kdcli.commands import text
from kdcli.errors import KdError, Text
from kdcli.evidence.cautions import warnings
from kdcli.evidence.costs import Cost, measure_costs
from kdcli.evidence.findings import Attribution, attributions, sentences
from kdcli.evidence.gather import Evidence, gather
from kdcli.evidence.verdicts import Measured, StudentsMeasured, Versus
from kdcli.models import parse_model
from kdcli.runs.experiment import Experiment
from kdcli.runs.student_sets import LOST, StudentSet
from kdcli.store import fitting, to_json


@dataclass(frozen=True)
class Compared:
    """What `kd compare` found and wrote; `costs` are by student set, `sentences` by group."""

    path: Path
    evidence: Evidence
    teacher_cost: Cost | None
    costs: Mapping[str, Cost]
    sentences: Mapping[str, Sequence[Text]]
    attributions: Sequence[Attribution]
    warnings: Sequence[Text]

    def document(self) -> dict[str, Any]:
        """Return all of it as `compare.json` holds it."""
        evidence = self.evidence
        splits = evidence.data.splits
        teacher = None
        if evidence.teacher and self.teacher_cost:
            scores = _first(evidence.teacher)
            teacher = {"model": evidence.teacher.group, "metrics": scores, "cost": asdict(self.teacher_cost)}
        unread: dict[str, Any] = {"metrics": {}, "cost": None, "versus": None}
        return {
            "run": evidence.experiment.run.name,
            "dataset": {
                "name": evidence.data.description.name,
                **{f"n_{split}": len(splits[split].y) for split in splits},
                "n_classes": evidence.data.n_classes,
                "classes": evidence.data.description.classes,
                "bayes": evidence.optimum,
            },
            "bayes_on_test": _first(evidence.bayes) if evidence.bayes else None,
            "teacher": teacher,
            "control": evidence.control,
            "students": [
                *(self._students(one) for one in evidence.students),
                *({**_described(old.folder, old.set), "stale": True, **unread} for old in evidence.left_out),
            ],
            "attributions": [
                {
                    "students": found.soft.name,
                    "metric": found.metric,
                    "gain": found.gain,
                    "seed_numbers": found.seeds,
                    **({"why": found.why} if found.why else {}),
                    "shares": [
                        {
                            "by": share.rival.name,
                            "gain": share.versus.gain,
                            "verdict": share.versus.verdict,
                            "beyond": _verdict(share.beyond),
                        }
                        for share in found.shares
                    ],
                }
                for found in self.attributions
            ],
            "sentences": {group: list(map(text, said)) for group, said in self.sentences.items()},
            "warnings": list(map(text, self.warnings)),
        }

    def _students(self, one: StudentsMeasured) -> dict[str, Any]:
        metrics = {
            name: {"mean": mean, "ci95": [low, high], "per_seed": one.per_seed[name]}
            for name, (mean, low, high) in one.estimates.items()
        }
        versus: dict[str, Any] | None = None
        if one.versus:
            paired = all(versus.paired for versus in one.versus.values())
            versus = {"control": one.control, "paired": paired}
            versus |= {metric: _verdict(found) for metric, found in one.versus.items()}
        return {
            **_described(one.name, one.set),
            "stale": False,
            "metrics": metrics,
            "cost": asdict(self.costs[one.name]),
            "versus": versus,
            **({"why": one.why} if one.why else {}),
        }


def compare(
    experiment: Experiment,
    *,
    models: Sequence[str] = (),
    metrics: Sequence[str] = (),
    control: str | None = None,
    unpaired: bool = False,
) -> Compared:
    """Compare a run's students with their controls, and write `compare.json`.

    For the options and errors see `evidence.gather`; raises `KdError` besides where no set has a control.
    With `models` the file is named after them.
    """
    evidence = gather(experiment, models=models, metrics=metrics, control=control, unpaired=unpaired)
    others = [one for one in evidence.students if one.why]
    if others and not any(one.versus for one in evidence.students):
        first = others[0]
        other: Text = (
            ("make a control with ", first.remedy) if first.remedy else "name another with --control"
        )
        raise KdError(f"{first.name} of run {experiment.run.name}: {first.why}", other)
    return report(evidence, fitting("".join(f"-{parse_model(model).slug}" for model in models)))


def report(evidence: Evidence, named: str = "") -> Compared:
    """Measure what the models of an evidence cost, say what it comes to, and write it all down."""
    teacher = evidence.trained_teacher
    found = attributions(evidence)
    compared = Compared(
        path=evidence.experiment.run.path / f"compare{named}.json",
        evidence=evidence,
        teacher_cost=next(iter(measure_costs([teacher], evidence.data).values())) if teacher else None,
        costs=measure_costs([one.trained for one in evidence.students], evidence.data),
        sentences=sentences(evidence, found),
        attributions=found,
        warnings=warnings(evidence),
    )
    text = json.dumps(to_json(compared.document()), indent=2, allow_nan=False)
    evidence.experiment.run.write_report(compared.path.name, text + "\n")
    return compared


def _first(measured: Measured) -> dict[str, float]:
    return {name: values[0] for name, values in measured.per_seed.items()}


def _described(name: str, student_set: StudentSet) -> dict[str, Any]:
    return {
        "name": name,
        "target": student_set.target,
        "temperature": student_set.temperature,
        "model": str(student_set.model),
        "seeds": len(student_set.seeds),
        "seed_numbers": student_set.seeds,  # in the order of `per_seed`
        **{why: student_set.lost.get(why, ()) for why in LOST},
        **student_set.columns(),
    }


def _verdict(versus: Versus) -> dict[str, Any]:
    return {
        "difference": versus.difference,
        "seeds": versus.seeds,
        "ci95": versus.interval,
        "p_value": versus.p_value,
        "p_holm": versus.adjusted,
        "verdict": versus.verdict,
        "detectable": versus.detectable,
        **({"why": versus.why} if versus.why else {}),
    }
