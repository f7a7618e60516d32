"""The effect of new examples in a transfer set, compared with the same students without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kdcli.evidence.gather import Evidence
from kdcli.evidence.verdicts import StudentsMeasured, Versus, contrast, decide
from kdcli.runs.transfer import Transfer

COMPARED = ("accuracy", "nll")


@dataclass(frozen=True)
class NewExamples:
    """Students that are taught new examples, and the same students taught as many copies instead, or none.

    These verdicts are corrected for each other, separately from those of the table.
    """

    students: StudentsMeasured
    without: StudentsMeasured
    versus: Mapping[str, Versus]


def new_examples(evidence: Evidence) -> list[NewExamples]:
    """Compare the sets that are taught new examples with the same sets taught copies, or else none."""
    pairs = [
        (students, without)
        for students in evidence.students
        if students.set.transfer.asks and (without := _without(students, evidence.students))
    ]
    decided = decide(
        {
            (k, metric): contrast(students, without, metric)
            for k, (students, without) in enumerate(pairs)
            for metric in COMPARED
        }
    )
    return [
        NewExamples(students, without, {metric: decided[k, metric] for metric in COMPARED})
        for k, (students, without) in enumerate(pairs)
    ]


def _without(students: StudentsMeasured, others: Sequence[StudentsMeasured]) -> StudentsMeasured | None:
    """Return the set that is the same except for the new examples; None if there is none."""
    transfer = students.set.transfer
    for same in (transfer.alike, Transfer(transfer.size)):
        if same == transfer:
            continue
        wanted = replace(students.set.settings, transfer=str(same))
        for other in others:
            if other.set.settings == wanted and other.set.seeds_asked == students.set.seeds_asked:
                return other
    return None
