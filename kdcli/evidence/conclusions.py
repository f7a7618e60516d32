"""All that a comparison comes to: the evidence, what it shows, where it misleads, and what models cost."""

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
    """What the evidence comes to; `costs` are by student set, by folder, `brought` is by new examples."""

    evidence: Evidence
    groups: Sequence[GroupFindings]
    cautions: Sequence[Caution]
    teacher_cost: Cost | None
    costs: Mapping[str, Cost]
    brought: Sequence[NewExamples] = ()


def conclude(experiment: Experiment, evidence: Evidence) -> Conclusions:
    """Measure what the models of an evidence cost, and say what it comes to."""
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
