"""The model card of an exported student, for people who use it without having trained it.

Mitchell et al., "Model cards for model reporting" (2019).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kdcli.data.tables.columns import NO, YES
from kdcli.data.tables.encoding import placed
from kdcli.exports.features import middle_of, written
from kdcli.exports.literals import in_comment
from kdcli.metrics import METRICS
from kdcli.report.proof import proof_table, proof_text
from kdcli.report.sentences import ends, in_draws
from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.report.words import amount, quantity
from kdcli.words import counted, readable_size, shortened

if TYPE_CHECKING:
    from kdcli.evidence.costs import Cost
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.verdicts import Measured, StudentsMeasured
    from kdcli.exports import Exported, FormatKind
    from kdcli.exports.proof import Proof, Unproven

NAME = "MODEL_CARD.md"
INTENDED = "Intended use"
EVEN = 0.05  # points between confidence and accuracy below which they count as equal
SCORES = ("accuracy", "nll", "brier", "ece")
LONGEST = 200  # characters of a name
MOST_LEVELS = 8  # classes that are named at once
MOST_CLASSES = 10  # whose recall is listed
TO_FILL_IN = (
    "Decisions it is meant to support:",
    "People or cases it must not be used for:",
    "Consequences of a wrong prediction, and who notices it:",
    "Who is responsible for it, and when it is evaluated next:",
)


@dataclass(frozen=True)
class Card:
    """The contents of a model card.

    file        the name of the exported file
    kind        its format
    student     the student that was exported
    folder      its student set
    scores      this student's scores on the test split, by metric, with its mean `confidence`
    shares      the share of each class among the test examples, with the `recall` of each
    target      the student's target, in words
    evidence    the evidence of the run
    teacher     the student's teacher; empty if it had none
    proof       the proof that the export predicts what the student predicts in kd
    costs       the costs of the student and of the teacher in kd
    """

    file: str
    kind: FormatKind
    student: Exported
    folder: str
    scores: Mapping[str, float]
    confidence: float
    shares: Sequence[float]
    recall: Sequence[float]
    target: str
    evidence: Evidence
    teacher: str
    proof: Proof | Unproven
    costs: Mapping[str, Cost]

    def text(self, digest: str, intended: str = "") -> str:
        """Return the card as Markdown, with the SHA-256 of the file and the text on its intended use."""
        facts = self.student.facts
        questions = "\n".join(["To be filled in by whoever ships it.", "", *(f"- {q} …" for q in TO_FILL_IN)])
        sections = {
            "Performance": self._performance(),
            "Calibration": [self._calibration()],
            "Parity with kd": [proof_text(self.proof), "", *markdown_table(self._costs)],
            "How to run it": [self.kind.usage(plain_file(self.file, self.kind.suffix), self.student)],
            "Inputs": self._inputs(),
            INTENDED: [intended or questions],
            "Provenance": [
                f"- kd {facts['kd']}, run {markdown(facts['run'])}, student set {markdown(self.folder)}, "
                f"seed {facts['seed']}, draw {facts['draw']}",
                f"- SHA-256 of this file: {digest}",
                f"- digest of the run's data in kd: {facts['digests']['data']}",
                f"- digest of the student set in kd: {facts['digests']['students']}",
            ],
        }
        title = f"# {markdown(self.folder)} ({markdown(self.file)})"
        lines = [mark_of(self.file), title, "", self._summary]
        for title, section in sections.items():
            lines += ["", f"## {title}", "", *section]
        return "\n".join([*lines, ""])

    @property
    def _summary(self) -> str:
        facts, sizes = self.student.facts, self.evidence.description.sizes
        source = f" by {markdown(self.teacher)}" if self.teacher else ""
        file, size = plain_file(self.file, self.kind.suffix), readable_size(self.proof.size)
        examples, classes = counted(sizes["train"], "training example"), len(self.student.classes)
        taught, data = markdown(facts["taught"]), markdown(facts["data"])
        predicts = (
            f"column {markdown(facts['predicts'])} of {data}" if facts["predicts"] else f"the class of {data}"
        )
        named = ", ".join(markdown(name) for name in self.student.classes[:MOST_LEVELS])
        more = ", …" if classes > MOST_LEVELS else ""
        return (
            f"Predicts {predicts}: {named}{more}. The model is {facts['model']}, trained on {examples}. "
            f"Its target was **{taught}** ({self.target}){source}. `{file}` is {self.kind.summary}, {size}."
        )

    @property
    def _measured(self) -> StudentsMeasured:
        return self.evidence.named(self.folder)

    def _performance(self) -> Iterator[str]:
        """Yield the table of scores, and how the set compares with its control."""
        evidence, students = self.evidence, self._measured
        yield f"On {counted(evidence.n_test, 'test example')}, used for neither training nor selection:"
        yield ""
        own = [Cell(self.scores[name], METRICS[name].unit) for name in SCORES]
        several = counted(students.seeds * evidence.draws, "student")
        rows = [Row(Cell("this student"), own), _row(f"all {several} of its set", students)]
        if students.control:
            rows.append(_row(f"control: {students.control}", evidence.named(students.control)))
        if evidence.teacher:
            rows.append(_row("teacher", evidence.teacher))
        columns = [Column(METRICS[name].title) for name in SCORES]
        yield from markdown_table(Table(columns, [Section(rows)]))
        yield ""
        names = [markdown(name) for name in self.student.classes]
        most = max(range(len(names)), key=self.shares.__getitem__)
        yield f"Always predicting {names[most]} would be right in {100 * self.shares[most]:.2f} %."
        if len(names) <= MOST_CLASSES:
            found = (f"{name} {100 * share:.1f} %" for name, share in zip(names, self.recall, strict=True))
            yield f"Recall of this student by class: {', '.join(found)}."
        yield ""
        yield from self._versus()

    def _versus(self) -> Iterator[str]:
        students = self._measured
        if students.is_control:
            yield "This student set is a control: other sets are compared with it."
            return
        if students.why:
            yield f"It is not compared with a control: {students.why}."
            return
        control = markdown(students.control)
        yield f"Compared with its control, {control}: the same students trained on another target."
        yield ""
        for name, versus in students.versus.items():
            title = METRICS[name].title
            if versus.difference is None:
                yield f"- {title}: both are infinite, so the difference is unknown"
                continue
            word = {"better": "better", "worse": "worse"}.get(versus.verdict or "", "inconclusive")
            if versus.interval is None:
                why = "infinite for one of the two" if math.isinf(versus.difference) else versus.why
                yield f"- {title}: **{word}**{f' ({why})' if why else ''}"
                continue
            gain = amount(name, versus.gain)
            seeds = counted(versus.seeds, "seed")
            told = f"{gain} {ends(versus)}{in_draws(versus)}"
            yield f"- {title}: **{word}**, {told} ({seeds}; positive is a gain)"
        yield ""
        yield "Brackets show 95 % intervals; verdicts are corrected for all comparisons of the run (Holm)."

    def _calibration(self) -> str:
        accuracy, points = self.scores["accuracy"], 100 * (self.confidence - self.scores["accuracy"])
        told = f"Mean confidence is {100 * self.confidence:.1f} %, accuracy {100 * accuracy:.1f} %"
        if abs(points) >= EVEN:
            told += f": it is {'over' if points > 0 else 'under'}-confident by {abs(points):.1f} points"
        return f"{told}. The expected calibration error is {quantity(self.scores['ece'], '%')}."

    @property
    def _costs(self) -> Table:
        return proof_table("this file", self.proof, self.costs)

    def _inputs(self) -> Iterator[str]:
        if not self.student.columns:
            shape = " × ".join(map(str, self.student.shape))
            kind = "bytes from 0 to 255" if self.student.is_bytes else "numbers like those in training"
            planes = "channel by channel, " if len(self.student.shape) > 2 else ""
            yield f"Images of {shape} pixels, {planes}row by row, {kind}."
        else:
            yield from self._columns()
        yield ""
        yield f"Classes, in order: {', '.join(markdown(name) for name in self.student.classes)}."

    def _columns(self) -> Iterator[str]:
        student = self.student
        types = None if student.encoded else self.kind.type_of
        yield f"| column | {'type | ' if types else ''}kind | values | if missing |"
        yield f"|---|{'---|' if types else ''}---|---|---|"
        for column, place in placed(student.columns):
            values = ", ".join(markdown(level) for level in column.levels) + " or another" * column.others
            if column.kind in ("number", "date"):
                low, high = np.quantile(student.x[:, place.start].astype(float), (0.05, 0.95))
                values = f"mostly {written(column, low)} to {written(column, high)}"
            filled = middle_of(column) if student.fills and column.kind != "category" else ""
            typed = f"{types(column)} | " if types else ""
            yield f"| {markdown(column.name)} | {typed}{column.kind} | {values} | {filled} |"
        if student.fills:
            yield ""
            yield f"- yes is {', '.join(YES)}; no is {', '.join(NO)}; capitals are accepted too."
            yield '- An unknown category is not an error: it counts as "other", or as none of the categories.'
            yield "- A missing value is replaced by the value in the last column."


def _row(title: str, measured: Measured) -> Row:
    estimates = {name: measured.estimates[name] for name in SCORES}
    return Row(
        Cell(title),
        [Cell(found.mean, METRICS[name].unit, found.interval) for name, found in estimates.items()],
    )


def markdown_table(table: Table) -> Iterator[str]:
    """Yield the lines of a table of values in Markdown, one for each row."""
    titles = [table.head.title if table.head else "", *(column.title for column in table.columns)]
    yield f"| {' | '.join(' '.join(title.split()) for title in titles)} |"
    yield f"|---{'|---:' * len(table.columns)}|"
    for row in table.rows():
        yield f"| {' | '.join(markdown(cell.text) for cell in (row.title, *row.cells))} |"


def mark_of(file: str) -> str:
    """Return the first line of a file's card, which identifies it as the card of that file."""
    name = in_comment(file).replace("-", "[U+002D]") if "--" in file else in_comment(file)
    return f"<!-- model card of {name} -->"


def intended_use(card: str) -> str:
    """Return the text of a card's section on intended use."""
    _, _, rest = card.partition(f"\n## {INTENDED}\n")
    return rest.partition("\n## ")[0].strip()


def plain_file(file: str, suffix: str) -> str:
    """Return a file's name if it needs no quoting in code, else a placeholder."""
    return file if re.fullmatch(r"[A-Za-z0-9._-]+", file) and file.endswith(suffix) else f"FILE{suffix}"


def markdown(text: str) -> str:
    """Escape a name for Markdown, and for the HTML that is made of it."""
    line = shortened("".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in text), LONGEST)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = line.replace("://", "&#58;//").replace("www.", "www&#46;")  # else they become links
    return re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", line)
