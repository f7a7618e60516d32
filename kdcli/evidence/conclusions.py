"""The conclusions of a comparison: the evidence, findings, cautions, and the costs of the models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdcli.evidence.cautions import Caution, cautions
from kdcli.evidence.costs import Cost, measure_costs
from kdcli.evidence.findings import GroupFindings, findings
from kdcli.evidence.gather import Evidence
from kdcli.evidence.new_examples import NewExamples, new_examples
from kdcli.evidence.remedies import remembers
from kdcli.evidence.trainings import of_trainings
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.stored import TrainedStudents


@dataclass(frozen=True)
class Conclusions:
    """Conclusions from the evidence; `costs` are by the student set's folder, `brought` by new examples."""

    evidence: Evidence
    groups: Sequence[GroupFindings]
    cautions: Sequence[Caution]
    teacher_cost: Cost | None
    costs: Mapping[str, Cost]
    brought: Sequence[NewExamples] = ()


def conclude(experiment: Experiment, evidence: Evidence) -> Conclusions:
    """Measure the costs of the models in the evidence, and draw the conclusions."""
    stored = (experiment.stored(f"{STUDENTS}/{students.name}") for students in evidence.students)
    students = [trained for trained in stored if isinstance(trained, TrainedStudents)]
    teacher = experiment.teacher if evidence.teacher else None
    costs = measure_costs([*([teacher] if teacher else []), *students], experiment.data)
    memory = remembers(experiment) if teacher else None
    return Conclusions(
        evidence=evidence,
        groups=findings(evidence),
        cautions=[
            *cautions(evidence),
            *of_trainings(experiment, evidence),
            *([memory] if memory else []),
        ],
        teacher_cost=costs.pop(teacher.folder, None) if teacher else None,
        costs=costs,
        brought=new_examples(evidence),
    )
