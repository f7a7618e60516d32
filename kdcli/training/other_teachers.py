"""Teachers other than the run's, for controls that show which property of a teacher helps.

One kind has the student's own shape and is trained like students: "self", after Furlanello et al.,
"Born-again neural networks" (2018). The other is the run's own model before training: "untrained". Each seed
has its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kdcli.models import Model, parse_model
from kdcli.progress import Watch, unwatched
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet
from kdcli.targets import UNTRAINED
from kdcli.training.material import Material, OtherTeachers
from kdcli.training.resuming import ResumePoints
from kdcli.training.workshop import TrainingWorkshop
from kdcli.words import named_seed


@dataclass(frozen=True)
class OtherTraining:
    """How further teachers are trained for some students, with states saved at `points`.

    With `keep_going`, a seed whose teacher is lost has nothing to learn from, and is lost too.
    """

    students: Students
    points: ResumePoints
    identity: Mapping[str, Any]
    watch: Watch
    keep_going: bool = False

    def workshop(self, kind: str, model: Model, draws: int) -> TrainingWorkshop:
        """Return the workshop for teachers of this kind."""
        untrained = kind == "untrained"
        return TrainingWorkshop(
            training=replace(self.students, epochs=0) if untrained else self.students,
            title=f"teachers {model} of the students' own shape",
            name_member=lambda k, seed, draw: (
                f"the {kind} teacher {model} of {named_seed(seed, draw, draws)}"
            ),
            open_display=unwatched if untrained else self.watch,
            points=ResumePoints(self.points.run, f"{self.points.name}.{kind}"),
            identity={**self.identity, "teachers": kind},
            keep_going=self.keep_going,
        )


def other_teachers(
    sets: Sequence[StudentSet], seeds: Sequence[int], material: Material, training: OtherTraining
) -> OtherTeachers:
    """Train the teachers that the targets of these sets need, one for each seed and draw.

    Raises `NotFiniteError` for non-finite losses or outputs, unless the training keeps going.
    """
    found = {}
    for kind, model in needed(sets, material):
        teaching = material.other_teaching(seeds, role=kind)
        (fitted,) = model.train(teaching, training.workshop(kind, model, teaching.draws))
        found[kind] = {split: _of_all(logits, fitted.seeds, seeds) for split, logits in fitted.logits.items()}
    return found


def _of_all(logits: Tensor, kept: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """Return logits `(draws, seeds, n, n_classes)` of all seeds; those of lost seeds are NaN."""
    if list(kept) == list(seeds):
        return logits
    whole = logits.new_full((len(logits), len(seeds), *logits.shape[2:]), torch.nan)
    whole[:, [seeds.index(seed) for seed in kept]] = logits
    return whole


def needed(sets: Sequence[StudentSet], material: Material) -> Iterator[tuple[str, Model]]:
    """Yield the kinds of further teachers that the targets of these sets need, with their models."""
    needs = {student_set.taught.needs for student_set in sets}
    if "self" in needs:
        yield "self", sets[0].model  # shared by all sets
    if "untrained" in needs:
        teacher = material.teacher.model if material.teacher else None
        yield "untrained", teacher if teacher and teacher.CURVES else parse_model(UNTRAINED)
