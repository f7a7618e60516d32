"""Trainings that weaken a comparison: stopped too early, overfitted, or no better than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from kdcli.errors import Command
from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import Measured, StudentsMeasured
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.stored import TrainedStudents

LATE = 0.9  # fraction of the epochs after which a loss should hardly fall
FALLING = 0.03  # fraction of its whole fall by which a validation loss must still fall after that
RISEN = 0.05  # fraction of its minimum, and of its whole fall, by which a validation loss must end above it
NO_BETTER = 0.97  # fraction of the entropy of the classes, above which an NLL is hardly better than chance
LITTLE = 0.03  # fraction of the examples outside the most frequent class


@dataclass(frozen=True)
class StillFalling:
    """Sets whose validation loss still falls at the last epoch; the command trains some of them longer."""

    students: Sequence[StudentsMeasured]
    longer: Command


@dataclass(frozen=True)
class Overfitted:
    """A control whose validation loss has risen by this share; the command keeps the best epoch."""

    control: StudentsMeasured
    risen: float
    best: Command


@dataclass(frozen=True)
class NearChance:
    """Models that are hardly better than always predicting the class frequencies."""

    models: Sequence[Measured]


@dataclass(frozen=True)
class SameLabels:
    """The teacher classifies every training example correctly, so hard labels equal the true labels."""

    n_train: int


def of_trainings(
    experiment: Experiment, evidence: Evidence
) -> list[StillFalling | Overfitted | NearChance | SameLabels]:
    """Return the cautions about how models were trained, and with what result."""
    curves = _curves(experiment, evidence)
    return [
        *_still_falling(evidence, curves),
        *_overfitted(evidence, curves),
        *_near_chance(experiment, evidence),
        *_same_labels(experiment, evidence),
    ]


def _curves(experiment: Experiment, evidence: Evidence) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the epochs and the mean validation loss over draws and seeds, for sets that have curves."""
    curves = {}
    for students in evidence.students:
        stored = experiment.stored(f"{STUDENTS}/{students.name}")
        history = stored.load_history() if isinstance(stored, TrainedStudents) else None
        if history and len(history["epochs"]) > 2:
            curves[students.name] = history["epochs"], history["val"].flatten(0, 1).mean(0)
    return curves


def _still_falling(evidence: Evidence, curves: Mapping[str, tuple[Tensor, Tensor]]) -> list[StillFalling]:
    falling = []
    for students in evidence.students:
        if students.name not in curves or not students.set.taught.teaches:
            continue
        epochs, loss = curves[students.name]
        late = int((epochs <= LATE * epochs[-1]).sum()) - 1
        whole = float(loss[0] - loss.min())
        if whole > 0 and float(loss[late] - loss[-1]) > FALLING * whole:
            falling.append(students)
    if not falling:
        return []
    first = falling[0]
    longer = [
        replace(one.set, settings=replace(one.set.settings, epochs=2 * one.set.settings.epochs))
        for one in evidence.students
        if (one in falling and one.group == first.group) or one.name == first.control
    ]
    return [StillFalling(falling, evidence.training(*longer).adding(force=True))]


def _overfitted(evidence: Evidence, curves: Mapping[str, tuple[Tensor, Tensor]]) -> list[Overfitted]:
    compared = {students.control for students in evidence.students}
    found = []
    for control in evidence.students:
        if (
            control.name not in compared
            or control.set.settings.select == "best"
            or control.name not in curves
        ):
            continue
        loss = curves[control.name][1]
        lowest, last = float(loss.min()), float(loss[-1])
        if last - lowest > RISEN * max(lowest, float(loss[0]) - lowest):
            sets = [one.set for one in evidence.students if control.name in (one.name, one.control)]
            best = [replace(one, settings=replace(one.settings, select="best")) for one in sets]
            command = evidence.training(*best).adding(force=True)
            found.append(Overfitted(control, last / max(lowest, 1e-12) - 1, command))
    return found


def _near_chance(experiment: Experiment, evidence: Evidence) -> list[NearChance]:
    """Find models that are hardly better than the class frequencies, in both NLL and accuracy."""
    pool = experiment.data.pool
    shares = [
        pool.labels("test", draw).bincount(minlength=evidence.description.n_classes).double()
        for draw in range(evidence.description.test_draws)
    ]
    shares = [counts / counts.sum() for counts in shares]
    entropy = fmean(float(torch.special.entr(share).sum()) for share in shares)
    most = fmean(float(share.max()) for share in shares)
    taught = [students for students in evidence.students if students.set.taught.teaches]
    measured = [*([evidence.teacher] if evidence.teacher else []), *taught]
    poor = [
        one
        for one in measured
        if one.estimates["nll"].mean >= NO_BETTER * entropy
        and one.estimates["accuracy"].mean <= most + LITTLE * (1 - most)
    ]
    return [NearChance(poor)] if poor else []


def _same_labels(experiment: Experiment, evidence: Evidence) -> list[SameLabels]:
    if evidence.teacher_logits is None or not any(s.set.target == "hard" for s in evidence.students):
        return []
    labels = [experiment.data.pool.labels("train", draw) for draw in range(len(evidence.teacher_logits))]
    same = all(
        bool((logits.argmax(-1) == y).all())
        for logits, y in zip(evidence.teacher_logits, labels, strict=True)
    )
    return [SameLabels(len(labels[0]))] if same else []
