"""The evidence as tables and sentences for a person, or as CSV for a program."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kdcli.commands import spell, text
from kdcli.metrics import METRICS
from kdcli.report.results import wrote
from kdcli.report.screen import Screen, readable_size
from kdcli.report.tables import in_one_line, narrow
from kdcli.runs.student_sets import LOST

if TYPE_CHECKING:
    from kdcli.evidence.costs import Cost
    from kdcli.evidence.gather import Evidence
    from kdcli.evidence.verdicts import Measured, StudentsMeasured, Versus
    from kdcli.stages.compare import Compared
    from kdcli.stats import Estimate

# Of the other metrics, those that a table shows, with short heads.
SHORT = {
    "brier": "Brier\nscore",
    "ece": "calibr.\nerror",
    "agreement": "agrees w.\nteacher",
    "kl_teacher": "KL from\nteacher",
    "excess_error": "excess\nerror",
    "kl_posterior": "KL from\nposterior",
}

SHORT_VERDICTS = {"no difference shown": "not shown"}  # below a difference
VERDICT_STYLES = {"better": "bold green", "worse": "bold red"}

CSV_COLUMNS = (
    "run",
    "name",
    "group",
    "target",
    "temperature",
    "model",
    "seeds",
    *LOST,
    "metric",
    "mean",
    "low",
    "high",
    "control",
    "paired",
    "difference",
    "difference_seeds",
    "difference_low",
    "difference_high",
    "p_value",
    "p_holm",
    "verdict",
)


def compared(screen: Screen, made: "Compared", **more: Any) -> None:
    """Tell what `kd compare` found; `more` is put into the document."""
    evidence = made.evidence
    tables = [_verdict_table(evidence, evidence.compared, wide=True)]
    if not (narrow() or in_one_line(tables[0])):
        tables = _that_fit(partial(_verdict_table, evidence), evidence.compared)
    for table in tables:
        screen.table(table)
    others = [
        name for name in SHORT if name not in evidence.compared and name in evidence.students[0].estimates
    ]
    for table in _that_fit(partial(_mean_table, evidence), others):
        screen.table(table)
    screen.table(_cost_table(made))
    for group, sentences in made.sentences.items():
        screen.say(group, style="bold")
        for sentence in sentences:
            screen.say(f"• {text(sentence)}", wrap=True)
    unmatched: dict[tuple[str, str, str], list[str]] = {}
    for one in evidence.students:
        if one.why:
            unmatched.setdefault((one.group, one.why, spell(one.remedy) if one.remedy else ""), []).append(
                one.title
            )
    if unmatched:
        screen.say("not compared", style="bold")
    for (group, why, remedy), titles in unmatched.items():
        makes = f"; `{remedy}` makes a control for it" if remedy else ""
        screen.say(f"• {group}: {'; '.join(titles)}: {why}{makes}.", wrap=True)
    for warning in made.warnings:
        screen.say(f"! {text(warning)}", wrap=True)
    for trained in evidence.left_out:
        why = f"stale; `{spell(trained.command.adding(force=True))}` renews it"
        screen.say(f"! left out {trained.name}: {why}", wrap=True)
    screen.say(_coverage(evidence), wrap=True)
    screen.say(wrote(made.path, False))
    screen.document({**made.document(), "path": made.path, **more})


def _that_fit(build: Callable[[Sequence[str]], Table], names: Sequence[str]) -> list[Table]:
    """Build tables of as many metrics abreast as the terminal has room for, and one each if need be."""
    for size in range(len(names), 0, -1):
        tables = [build(names[k : k + size]) for k in range(0, len(names), size)]
        if size == 1 or narrow() or all(map(in_one_line, tables)):
            return tables
    return []


def _coverage(evidence: "Evidence") -> str:
    """Say what the intervals and verdicts cover, and what not."""
    sources = "training seeds and test examples"
    if all(one.seeds == 1 for one in evidence.students):
        sources = "test examples, for this one seed"
    words = [
        f"± is a 95 % interval over {sources}; it does not cover another draw of the training data, nor "
        "another teacher."
    ]
    if evidence.tests:
        words.append(
            f"Verdicts are at 95 % for the {evidence.tests} comparisons of the table together (Holm's "
            "correction): an interval without 0 is not enough by itself."
        )
    if any(not v.paired for one in evidence.students for v in one.versus.values()):
        words.append("Unpaired sets differ in more than what they were taught.")
    if evidence.optimum:
        words.append(
            f"Over the whole distribution the Bayes optimum is {evidence.optimum['accuracy']:.2%} and "
            f"{evidence.optimum['nll']:.4f} nats."
        )
    return " ".join(words)


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(
        "", overflow="fold", min_width=12
    )  # where the terminal is narrow, names give way, not numbers
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


@dataclass(frozen=True)
class _Cells:
    """What a metric's cells of one set say: the value, the difference from its control, and the verdict."""

    value: Text
    difference: str = ""
    verdict: Text | None = None

    def laid_out(self, wide: bool) -> list[Text]:
        verdict = self.verdict or Text()
        if wide:
            return [self.value, Text(self.difference), verdict]
        below = Text.assemble(self.difference, " " if self.difference else "", verdict)
        return [Text("\n").join([self.value, below]) if below else self.value]


def _verdict_table(evidence: "Evidence", metrics: Sequence[str], *, wide: bool = False) -> Table:
    """Make the table of some compared metrics: the optimum and the teacher, then each group's sets.

    Verdicts stand in columns of their own if it is `wide`, else below the values.
    """
    n = len(evidence.data.splits["test"].y)
    seeds = sorted({one.seeds for one in evidence.students})
    counts = " or ".join(map(str, seeds))
    title = (
        f"{evidence.data.heading}: {counts} seed{'' if seeds == [1] else 's'}, {n:,} test examples, "
        "± is a 95 % interval"
    )
    heads = []
    for name in metrics:
        metric = METRICS[name]
        unit = f" ({metric.unit})" if metric.unit == "nats" else ""
        control = f"vs {evidence.control}"
        heads += [metric.title + unit, control, "verdict"] if wide else [f"{metric.title}{unit}\n{control}"]
    table = _table(title, heads)
    for one in (evidence.bayes, evidence.teacher):
        if one:
            cells = [_Cells(Text(_value(name, one.estimates.get(name)))) for name in metrics]
            table.add_row(one.title, *(part for cell in cells for part in cell.laid_out(wide)))
    for group, sets in _groups(evidence).items():
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for one in sets:
            cells = [_cells(name, one, _best(name, sets), wide) for name in metrics]
            role = "" if one.versus or one.why else " (control)"
            table.add_row(f"  {one.title}{role}", *(part for cell in cells for part in cell.laid_out(wide)))
    return table


def _cells(name: str, one: "StudentsMeasured", best: "StudentsMeasured | None", wide: bool) -> _Cells:
    value = Text(_value(name, one.estimates.get(name)), style="bold" if one is best else "")
    versus = one.versus.get(name)
    if versus is None:
        return _Cells(value, verdict=Text("no control") if one.why else None)
    few, colon, _ = versus.why.partition(":")
    word = versus.verdict or (few if colon else "no verdict")
    verdict = Text(word if wide else SHORT_VERDICTS.get(word, word), style=VERDICT_STYLES.get(word, ""))
    if not versus.paired:
        verdict.append(", unpaired")
    return _Cells(value, _difference(name, versus), verdict)


def _mean_table(evidence: "Evidence", metrics: Sequence[str]) -> Table:
    """Make the table of the metrics that have no verdict: their means."""
    table = _table("other metrics, means over seeds", [SHORT[name] for name in metrics])

    def row(one: "Measured", title: str, sets: "Sequence[StudentsMeasured]" = ()) -> None:
        cells = []
        for name in metrics:
            mean = one.estimates[name].mean if name in one.estimates else None
            style = "bold" if one is _best(name, sets) else ""
            cells.append(Text("" if mean is None else _plain(name, mean), style=style))
        table.add_row(title, *cells)

    for one in (evidence.bayes, evidence.teacher):
        if one:
            row(one, one.title)
    for group, sets in _groups(evidence).items():
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for students in sets:
            row(students, f"  {students.title}", sets)
    return table


def _cost_table(made: "Compared") -> Table:
    """Make the table of costs: the teacher, then each model with its ratios to the teacher."""
    heads = ["parameters", "multiply-\nadds", "bytes", "latency\nmedian", "latency\n95th perc."]
    table = _table("cost of one prediction on one thread, and its ratio to the teacher's", heads)
    teacher = made.teacher_cost
    if teacher and made.evidence.teacher:
        table.add_row(made.evidence.teacher.group, *map(Text, _cost_cells(teacher)))
    of_model: dict[str, dict[Cost, list[str]]] = {}
    for one in made.evidence.students:
        costs = of_model.setdefault(str(one.set.model), {})
        costs.setdefault(made.costs[one.name], []).append(one.title)
    for model, costs in of_model.items():
        table.add_section()
        for cost, titles in costs.items():
            cells = map(Text, _cost_cells(cost))
            if teacher:
                cells = map(_with_ratio, cells, astuple(cost), astuple(teacher))
            table.add_row(
                model if len(costs) == 1 else f"{model}: {'; '.join(dict.fromkeys(titles))}", *cells
            )
    return table


def _cost_cells(cost: "Cost") -> list[str]:
    return [
        f"{cost.parameters:,}",
        f"{cost.multiply_adds:,}",
        readable_size(cost.bytes),
        f"{cost.latency_ms:.3f} ms",
        f"{cost.latency_p95_ms:.3f} ms",
    ]


def _with_ratio(cell: Text, value: float, other: float) -> Text:
    ratio = Text(_ratio(value / other) if value and other else "", style="dim")
    return Text("\n").join([cell, ratio])


def _ratio(value: float) -> str:
    """Write a ratio as it is read best: "1/230", "0.62", "3.10"."""
    return f"1/{1 / value:,.0f}" if value < 0.1 else f"{value:.2f}"


def _groups(evidence: "Evidence") -> "dict[str, list[StudentsMeasured]]":
    from kdcli.evidence.verdicts import by_group

    return by_group(evidence.students)


def _best(name: str, sets: "Sequence[StudentsMeasured]") -> "StudentsMeasured | None":
    """Return the set whose mean is best, if there are several and one is better than the others."""
    sign = 1 if METRICS[name].better == "higher" else -1
    there = [one for one in sets if name in one.estimates]
    ranked = sorted(there, key=lambda one: -sign * one.estimates[name].mean)
    if len(ranked) < 2 or ranked[0].estimates[name].mean == ranked[1].estimates[name].mean:
        return None
    return ranked[0]


def _value(name: str, estimate: "Estimate | None") -> str:
    """Write a mean with the half-width of its interval, such as "94.50 ± 0.42 %"."""
    if estimate is None:
        return ""
    if math.isinf(estimate.mean):
        return "∞"
    unit = " %" if METRICS[name].unit == "%" else ""
    half = max(estimate.high - estimate.mean, estimate.mean - estimate.low)
    return f"{_number(name, estimate.mean)} ± {_number(name, half)}{unit}"


def _plain(name: str, mean: float) -> str:
    return "∞" if math.isinf(mean) else _number(name, mean) + (" %" if METRICS[name].unit == "%" else "")


def _difference(name: str, versus: "Versus") -> str:
    """Write a difference with its sign and half-width, such as "+3.15 ± 0.37"."""
    if versus.difference is None:
        return "both ∞" if versus.seeds else ""
    size = _number(name, abs(versus.difference)) if math.isfinite(versus.difference) else "∞"
    sign = "" if not size.strip("0.") else "−" if versus.difference < 0 else "+"
    if versus.interval:
        return f"{sign}{size} ± {_number(name, versus.interval[1] - versus.difference)}"
    return sign + size


def _number(name: str, value: float) -> str:
    from kdcli.evidence.wording import number

    return number(name, value)


def as_csv(made: "Compared") -> str:
    """Return the evidence as CSV: a row for each set (or model) and metric; unknown cells are empty."""
    evidence = made.evidence
    out = io.StringIO()
    table = csv.DictWriter(out, CSV_COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for one in (evidence.bayes, evidence.teacher):
        if one:
            for name, estimate in one.estimates.items():
                common = {
                    "run": evidence.experiment.run.name,
                    "name": one.title,
                    "model": one.group,
                    "metric": name,
                }
                table.writerow(common | estimate._asdict())
    for one in evidence.students:
        for name, estimate in one.estimates.items():
            row = {
                "run": evidence.experiment.run.name,
                "name": one.name,
                "group": one.group,
                "target": one.set.target,
                "temperature": one.set.temperature,
                "model": one.set.model,
                "seeds": one.seeds,
                **{why: " ".join(map(str, one.set.lost.get(why, ()))) for why in LOST},
                "metric": name,
                **estimate._asdict(),
            }
            if versus := one.versus.get(name):
                low, high = versus.interval or ("", "")
                row |= {
                    "control": versus.other,
                    "paired": versus.paired,
                    "difference": versus.difference,
                    "difference_seeds": versus.seeds,
                    "difference_low": low,
                    "difference_high": high,
                    "p_value": versus.p_value,
                    "p_holm": versus.adjusted,
                    "verdict": versus.verdict,
                }
            table.writerow(row)
    return out.getvalue()
