"""The model card: what goes with an exported student, for those who are to use it and do not know it.

Mitchell et al., "Model cards for model reporting" (2019).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdcli.exports.rules import middle_of
from kdcli.metrics import METRICS
from kdcli.report.proof import microseconds, proof_text
from kdcli.report.sentences import ends, in_draws
from kdcli.report.words import amount, quantity
from kdcli.words import counted, readable_size, shortened

if TYPE_CHECKING:
    from kdcli.evidence.costs import Cost
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.verdicts import Measured, StudentsMeasured
    from kdcli.exports import Exported, FormatKind
    from kdcli.exports.proof import Proof, Unproven

NAME = "MODEL_CARD.md"
SCORES = ("accuracy", "nll", "brier", "ece")
LONGEST = 200  # characters of a name
MOST_LEVELS = 8  # categories of a column that are named
TO_FILL_IN = (
    "Decisions that it is for:",
    "People or things that it must not be used on:",
    "What happens where it is wrong, and who notices:",
    "Who answers for it, and when it is measured again:",
)


@dataclass(frozen=True)
class Card:
    """What a card tells.

    file        the name of the export
    kind        its format
    student     the student that was exported
    folder      its student set
    scores      of this one student on the test split, by metric, with its mean `confidence`
    evidence    of the run
    teacher     what taught it; empty if nothing did
    proof       that the export says what the student says in kd
    costs       of the student and of the teacher, in kd
    """

    file: str
    kind: FormatKind
    student: Exported
    folder: str
    scores: Mapping[str, float]
    confidence: float
    evidence: Evidence
    teacher: str
    proof: Proof | Unproven
    costs: Mapping[str, Cost]

    @property
    def mark(self) -> str:
        """The first line, by which kd knows the card of this export again."""
        return mark_of(self.file)

    def text(self) -> str:
        """Return the card as Markdown."""
        facts = self.student.facts
        lines = [
            self.mark,
            f"# {markdown(self.folder)}",
            "",
            *self._summary(),
            "",
            *("## How good it is", "", *self._scores(), ""),
            *("## Calibration", "", self._calibration(), ""),
            *("## Proof that it says what it says in kd", "", *self._proof(), ""),
            *(
                "## How to run it",
                "",
                self.kind.usage(plain_file(self.file, self.kind.suffix), self.student),
                "",
            ),
            *("## What it takes", "", *self._inputs(), ""),
            *("## Intended use", "", "To be filled in by who ships it.", ""),
            *(f"- {question} …" for question in TO_FILL_IN),
            *("", "## Where it comes from", ""),
            f"- kd {facts['kd']}, run {markdown(facts['run'])}, student set {markdown(self.folder)}, "
            f"seed {facts['seed']}, draw {facts['draw']}",
            f"- SHA-256 of the data: {facts['digests']['data']}",
            f"- SHA-256 of the students: {facts['digests']['students']}",
        ]
        return "\n".join([*lines, ""])

    def _summary(self) -> Iterator[str]:
        facts, sizes = self.student.facts, self.evidence.description.sizes
        source = f" by a {self.teacher}" if self.teacher else ""
        file, size = plain_file(self.file, self.kind.suffix), readable_size(self.proof.size)
        examples, classes = counted(sizes["train"], "training example"), len(self.student.classes)
        taught, data = markdown(facts["taught"]), markdown(facts["data"])
        yield (
            f"The model is {facts['model']}. Its target, **{taught}**, was made{source} from {data}: "
            f"{examples}, {classes} classes. `{file}` is {self.kind.summary}, {size}."
        )

    @property
    def _measured(self) -> StudentsMeasured:
        return self.evidence.named(self.folder)

    def _scores(self) -> Iterator[str]:
        """Yield the table of scores, and how the set compares with its control."""
        evidence, students = self.evidence, self._measured
        titles = [METRICS[name].title for name in SCORES]
        yield f"On {counted(evidence.n_test, 'test example')}, which had no part in training or choosing:"
        yield ""
        yield f"| | {' | '.join(titles)} |"
        yield f"|---{'|---:' * len(titles)}|"
        own = [quantity(self.scores[name], METRICS[name].unit) for name in SCORES]
        yield f"| **this student** | {' | '.join(own)} |"
        several = counted(students.seeds * evidence.draws, "student")
        yield _estimates(f"all {several} of its set", students)
        if students.control:
            yield _estimates(f"control: {markdown(students.control)}", evidence.named(students.control))
        if evidence.teacher:
            yield _estimates("teacher", evidence.teacher)
        yield ""
        yield from self._versus()

    def _versus(self) -> Iterator[str]:
        students = self._measured
        if students.is_control:
            yield "It is a control itself: others are compared with it, and it with none."
            return
        if students.why:
            yield f"It is not compared with a control: {students.why}."
            return
        yield f"Compared with its control, {markdown(students.control)}, which differs in the target alone:"
        yield ""
        for name, versus in students.versus.items():
            title = METRICS[name].title
            if versus.difference is None:
                yield f"- {title}: no difference can be told, since both are infinite"
                continue
            word = {"better": "better", "worse": "worse"}.get(versus.verdict or "", "inconclusive")
            gain = amount(name, versus.gain)
            seeds = counted(versus.seeds, "seed")
            yield f"- {title}: **{word}**, a gain of {gain} {ends(versus)}{in_draws(versus)} ({seeds})"
        yield ""
        yield "In brackets are 95 % intervals; verdicts are corrected for all comparisons of the run (Holm)."

    def _calibration(self) -> str:
        accuracy, confidence = self.scores["accuracy"], self.confidence
        side = "over" if confidence > accuracy else "under"
        points = 100 * abs(confidence - accuracy)
        return (
            f"Its highest probability is {100 * confidence:.1f} % on average, and it is right in "
            f"{100 * accuracy:.1f} %: it is {side}-confident by {points:.1f} points. "
            f"The calibration error, over bins of confidence, is {quantity(self.scores['ece'], '%')}."
        )

    def _proof(self) -> Iterator[str]:
        from kdcli.exports.proof import Proof

        yield proof_text(self.proof)
        yield ""
        yield "| one row at a time | bytes | latency, median | 95th percentile |"
        yield "|---|---:|---:|---:|"
        times = ["–", "–"]
        if isinstance(self.proof, Proof):
            times = [microseconds(self.proof.median_us), microseconds(self.proof.p95_us)]
        yield f"| this file | {readable_size(self.proof.size)} | {' | '.join(times)} |"
        for name, cost in self.costs.items():
            times = [microseconds(1000 * value) for value in (cost.latency_ms, cost.latency_p95_ms)]
            told = f"{markdown(name)} in kd, from features"
            yield f"| {told} | {readable_size(cost.bytes)} | {' | '.join(times)} |"

    def _inputs(self) -> Iterator[str]:
        if not self.student.columns:
            shape = " × ".join(map(str, self.student.shape))
            kind = "bytes from 0 to 255" if self.student.is_bytes else "numbers as those it was taught"
            yield f"Images of {shape} pixels, {kind}."
        else:
            yield "| column | kind | values | where missing |"
            yield "|---|---|---|---|"
            for column in self.student.columns:
                levels = [markdown(level) for level in column.levels[:MOST_LEVELS]]
                more = len(column.levels) - len(levels)
                values = ", ".join(levels) + (f" and {more} more" if more else "")
                values += " or another" * column.others
                filled = middle_of(column) if self.student.fills and column.kind != "category" else ""
                yield f"| {markdown(column.name)} | {column.kind} | {values} | {filled} |"
        yield ""
        yield f"Classes, in their order: {', '.join(markdown(name) for name in self.student.classes)}."


def _estimates(title: str, measured: Measured) -> str:
    cells = []
    for name in SCORES:
        mean, low, high = measured.estimates[name]
        cells.append(quantity(mean, METRICS[name].unit, max(high - mean, mean - low)))
    return f"| {title} | {' | '.join(cells)} |"


def mark_of(file: str) -> str:
    """Return the first line of the card of a file."""
    return f"<!-- model card of {plain_file(file, '')} -->"


def plain_file(file: str, suffix: str) -> str:
    """Return a file's name where it is plain enough to stand in code, else a name that stands for it."""
    return file if re.fullmatch(r"[A-Za-z0-9._ -]+", file) else f"FILE{suffix}"


def markdown(text: str) -> str:
    """Write a name so that it stays a name in Markdown, and in the HTML that is made of it."""
    line = shortened("".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in text), LONGEST)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", line)
