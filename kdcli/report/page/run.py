"""The report of a run: first the finding, then the evidence, and last how to reproduce it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kdcli.errors import Text
from kdcli.metrics import METRICS
from kdcli.report.cautions import caution_text, not_compared
from kdcli.report.columns import columns_table
from kdcli.report.data import classes_table, sizes_text
from kdcli.report.evidence import (
    cost_table,
    means_table,
    metrics_table,
    new_examples_table,
    recall_table,
    verdict_table,
)
from kdcli.report.headline import headline
from kdcli.report.page.again import again, artefacts, file_name, portable
from kdcli.report.page.blocks import Block, Bullets, Chapter, Facts, Page, Paragraph
from kdcli.report.page.figures import Figures
from kdcli.report.sentences import coverage, scores_text, sentences
from kdcli.report.teacher import teacher_text
from kdcli.report.words import minute

if TYPE_CHECKING:
    from kdcli.evidence.conclusions import Conclusions
    from kdcli.runs.experiment import Experiment

NO_FINDING = "Nothing is compared yet: no student set has a control that was trained in the same way."
LATENCY = (
    "The latency per call is the median time of one prediction in PyTorch on one thread of the machine that "
    "made this report. Most of it is the overhead of the call; the time per row of 64 is that of the model."
)
ENCODED = (
    "The encoding of columns is fitted on training rows alone. Numbers stay as they are. A missing number "
    "or date is replaced by the median, and a feature of its own marks it as missing. Each frequent category "
    "becomes a feature with the values 0 and 1, and one more feature stands for all other categories."
)
STANDARDISED = "For networks, features are shifted and scaled to mean 0 and variance 1 on the training rows."


def run_page(experiment: Experiment, conclusions: Conclusions, figures: Figures) -> Page:
    """Return the report of a run."""
    chapters = [
        Chapter(
            "Finding",
            [Paragraph(headline(conclusions.evidence, conclusions.groups) or NO_FINDING, "finding")],
        ),
        Chapter("Comparison", list(_comparison(conclusions))),
        *figures.chapters(),
        Chapter("Costs", list(_costs(conclusions))),
        Chapter("Data", list(_data(experiment))),
        *([Chapter("Teacher", list(_teacher(experiment)))] if experiment.has_teacher else []),
        Chapter("Cautions", list(_cautions(conclusions))),
        again(experiment),
    ]
    made = max(one.meta.created for one in artefacts(experiment))
    version = experiment.data.meta.versions.get("kdcli", "")
    name, sizes = experiment.data.description.name, sizes_text(experiment.data.description)
    subtitle = f"Knowledge distillation on {name}: {sizes}. Made {minute(made)} by kd {version}."
    return Page(experiment.data.heading, subtitle, chapters)


def _comparison(conclusions: Conclusions) -> Iterator[Block]:
    """Yield the table behind the finding, the coverage of its verdicts, and the rest of the evidence."""
    evidence, groups = conclusions.evidence, conclusions.groups
    table = metrics_table(evidence)
    yield verdict_table(evidence, table)
    yield Paragraph(coverage(evidence, groups), "remark")
    if reasons := list(not_compared(evidence)):
        yield Bullets(reasons, "Not compared")
    if conclusions.brought:
        yield new_examples_table(conclusions.brought)
    for group, texts in sentences(evidence, groups).items():
        yield Bullets(texts, group)
    if means := means_table(evidence, table):
        columns = [replace(column, title=METRICS[column.key].title) for column in means.columns]
        yield replace(means, columns=columns)
    if recall := recall_table(evidence):
        yield recall


def _costs(conclusions: Conclusions) -> Iterator[Block]:
    yield cost_table(conclusions.evidence, conclusions.teacher_cost, conclusions.costs)
    yield Paragraph(LATENCY, "remark")


def _data(experiment: Experiment) -> Iterator[Block]:
    """Yield a description of the data, their classes and columns, and how they were encoded."""
    data, description = experiment.data, experiment.data.description
    shape = " × ".join(map(str, description.shape))
    facts: list[tuple[str, Text]] = [
        ("Dataset", f"{description.name}: {data.dataset.summary}"),
        ("Examples", sizes_text(description)),
        ("One example", f"{shape} numbers" if description.feature_names else f"{shape} pixels"),
    ]
    if settings := replace(data.record, config=portable(data.record.config)).words("data"):
        facts.append(("Settings", ", ".join(settings)))
    if bayes := description.bayes:
        facts.append(("Bayes optimum", scores_text(bayes._asdict())))
    yield Facts(facts)
    yield classes_table(data)
    if description.decisions:
        yield columns_table(description, public=True)
        yield Paragraph(ENCODED)
    if description.standardise:
        yield Paragraph(STANDARDISED)
    if description.notes:
        yield Bullets(description.notes, "Notes")


def _teacher(experiment: Experiment) -> Iterator[Block]:
    """Yield a description of the teacher and its training, with cautions."""
    teacher = experiment.teacher
    words = teacher.record.words("teacher")
    draws = experiment.data.draws
    number = f"{draws}, one for each draw"
    if draws == 1 or experiment.teacher_source:
        number = "1" if draws == 1 else "1, the same in all draws"
    means = {name: sum(map(sum, values)) / sum(map(len, values)) for name, values in teacher.metrics.items()}
    facts: list[tuple[str, Text]] = [
        ("Model", file_name(words[0]) if experiment.teacher_source else words[0]),
        ("Training", ", ".join(words[1:]) or "not by kd"),
        ("Teachers", number),
        ("Test split", scores_text(means)),
    ]
    yield Facts(facts)
    yield from (Paragraph(note, "caution") for note in teacher_text(experiment))


def _cautions(conclusions: Conclusions) -> Iterator[Block]:
    """Yield cautions, and the stale artefacts that are left out."""
    evidence = conclusions.evidence
    for caution in conclusions.cautions:
        yield Paragraph(caution_text(caution), "caution")
    for old in evidence.stale:
        yield Paragraph(
            (f"{old.artefact} is left out, since it is stale; ", old.renew, " renews it."), "caution"
        )
    if not conclusions.cautions and not evidence.stale:
        yield Paragraph("kd finds nothing here that could mislead a reader.")
