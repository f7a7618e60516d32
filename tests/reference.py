"""The reference pages in `docs/reference/`, made from the command line, the settings and the docstrings.

`python tests/reference.py` writes them.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

import kdcli
from kdcli import public
from kdcli.cli.help import panels, usage
from kdcli.cli.keeping import app
from kdcli.data import DATASETS
from kdcli.exports import FORMATS
from kdcli.figures import FIGURES, STUDY_FIGURES
from kdcli.metrics import METRICS
from kdcli.models import FAMILIES, SYNTAX, TEACHERS
from kdcli.models.ensemble import Ensemble
from kdcli.runs.recipe import Students, Teacher
from kdcli.runs.recipes import builtin_names, builtin_text
from kdcli.runs.studies import study_names, sweep_text
from kdcli.settings import flag, rules, written
from kdcli.targets import TARGETS

ROOT = Path(__file__).parent.parent
RENEW = "python tests/reference.py"
MADE = f"<!-- Made from the code by `{RENEW}`. Do not edit it here. -->"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    for cells in (titles, ["---"] * len(titles), *rows):
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def code(text: str) -> str:
    """Write text as code."""
    return f"`{text}`" if text else ""


def commands() -> Iterator[str]:
    """Yield the page on commands."""
    group: Any = get_command(app)
    yield from ["# Commands", "", "`kd COMMAND --help` prints the same in the terminal."]
    for name, command in group.commands.items():
        context = Context(command, info_name=name, parent=Context(group, info_name="kd"))
        yield from ["", f"## kd {name}", "", command.help, "", code(usage(context))]
        for title, rows in panels(context).items():
            if rows:
                yield ""
                yield from table([title, "meaning"], [[code(row[0]), row[1]] for row in rows])
        yield from ["", "```sh", *command.epilog.splitlines(), "```"]


def keys(config: type) -> Iterator[str]:
    """Yield the table of the keys of a recipe's section."""
    defaults = {field.name: field.default for field in fields(config)}
    rows = []
    for key, rule in rules(config).items():
        values = [rule.allowed] if rule.allowed else []
        values += map(code, [*rule.choices, *rule.words])
        if rule.values in (SYNTAX, TEACHERS):
            values = ["a [model](models.md)"]
        rows.append(
            [code(key), code(flag(config, key)), rule.help, ", ".join(values), code(shown(defaults[key]))]
        )
    return table(["key", "option", "meaning", "values", "default"], rows)


def shown(value: Any) -> str:
    """Write a default as a recipe has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else written(value)


def about(text: str) -> str:
    """Return what the comment at the top of a recipe or sweep file says, without the command before it."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(line for line in comment if not line.startswith("kd "))


def recipes() -> Iterator[str]:
    """Yield the page on recipes: those that come with kd, and every key."""
    yield from ["# Recipes", ""]
    yield "A recipe has three sections: `[data]`, `[teacher]` and `[students]`. A key that it"
    yield "leaves out has its default. [Write a recipe](../tasks/recipes.md) tells how to use one."
    yield "The options are those of `kd gen-data`, `kd train-teacher` and `kd distill`."
    named = [[code(name), about(builtin_text(name))] for name in builtin_names()]
    yield from ["", "## Recipes that come with kd", "", *table(["recipe", "what it is"], named)]
    studies = [[code(name), about(sweep_text(name))] for name in study_names()]
    yield from ["", "## Studies that come with kd", "", *table(["study", "what it asks"], studies)]
    yield from ["", "## [teacher]", "", *keys(Teacher), "", "## [students]", "", *keys(Students)]
    for name, dataset in DATASETS.items():
        yield from ["", f"## [data] of {name}", "", f'{sentence(dataset.summary)} `dataset = "{name}"`', ""]
        yield from keys(dataset.config)


def sentence(text: str) -> str:
    """Write a summary as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def python() -> Iterator[str]:
    """Yield the page on the public interface."""
    yield from ["# Python", "", "The names and arguments on this page are kept stable."]
    yield from documented("kdcli.open_run", kdcli.open_run)
    for kind in (public.OpenRun, public.Students, public.Model):
        yield from ["", f"## {kind.__name__}", "", *docstring(kind)]
        for name, member in vars(kind).items():
            if not name.startswith("_") and not isinstance(member, classmethod) and inspect.getdoc(member):
                yield from documented(f"{kind.__name__}.{name}", member)
    for error in (kdcli.KdError, kdcli.UsageError):
        yield from ["", f"## kdcli.{error.__name__}", "", *docstring(error)]


def documented(name: str, member: Any) -> Iterator[str]:
    """Yield what the docstring of a function, method or property says, below its signature."""
    yield from ["", f"### {name}", ""]
    if callable(member):
        signature = str(inspect.signature(member)).replace("(self, ", "(").replace("(self)", "()")
        yield from [code(f"{name.rpartition('.')[2]}{signature}".replace("'", "")), ""]
    yield from docstring(member)


def docstring(member: Any) -> list[str]:
    """Return the lines of a docstring; lists in columns stay as they are."""
    lines = (inspect.getdoc(member) or "").splitlines()
    return [f"    {line}" if "   " in line else line for line in lines]


def targets() -> Iterator[str]:
    """Yield the list of targets."""
    yield from [
        "# Targets",
        "",
        "[Targets](../explanations/targets.md) explains what each of them tells.",
        "",
    ]
    rows = [
        [code(name), target.summary, target.needs, code(target.setting), str(target.least_classes)]
        for name, target in TARGETS.items()
    ]
    yield from table(
        ["target", "what the student is taught", "made from", "setting", "classes, at least"], rows
    )


def models() -> Iterator[str]:
    """Yield the list of families of models."""
    yield from ["# Models", "", "[Models](../explanations/models.md) explains how they are taught.", ""]
    rows = [[code(name), family.SYNTAX, family.SEEDS] for name, family in FAMILIES.items()]
    yield from table(["family", "how a model is written", "what a seed varies"], rows)
    yield from [
        "",
        f"A teacher may also be an ensemble, whose probabilities are averaged: {Ensemble.SYNTAX}.",
    ]


def metrics() -> Iterator[str]:
    """Yield the list of metrics."""
    yield from ["# Metrics", "", "[What is measured](../explanations/measures.md) explains them.", ""]
    rows = [
        [
            code(name),
            metric.summary,
            metric.better,
            metric.unit,
            metric.needs,
            "yes" if metric.inferred else "no",
        ]
        for name, metric in METRICS.items()
    ]
    yield from table(["metric", "what it is", "better", "unit", "needs", "interval and verdict"], rows)


def figures() -> Iterator[str]:
    """Yield the list of figures."""
    yield from ["# Figures", "", "[The gallery](../gallery.md) shows them. `kd plot FIGURE` draws one.", ""]
    yield from table(["figure", "what it shows", "what to look for"], seen(FIGURES))
    yield from ["", "## Figures of a study", ""]
    yield from table(["figure", "what it shows", "what to look for"], seen(STUDY_FIGURES))


def seen(kinds: Mapping[str, Any]) -> list[list[str]]:
    """Return what each kind of figure shows."""
    return [[code(name), kind.summary, kind.see] for name, kind in kinds.items()]


def data() -> Iterator[str]:
    """Yield the list of datasets, and of formats of exports."""
    yield from ["# Data and exports", "", "## Datasets", ""]
    yield from table(
        ["dataset", "what it is"], [[code(name), kind.summary] for name, kind in DATASETS.items()]
    )
    yield from ["", "[Recipes](recipes.md) has the options of each.", "", "## Formats of exports", ""]
    rows = [[code(name), code(kind.suffix), kind.summary] for name, kind in FORMATS.items()]
    yield from table(["format", "ending", "what it is"], rows)


PAGES = {
    f"docs/reference/{page.__name__}.md": page
    for page in (commands, recipes, python, targets, models, metrics, figures, data)
}


def made(name: str) -> str:
    """Return the text of a page as the code says it now."""
    return "\n".join([MADE, "", *PAGES[name]()]) + "\n"


def main() -> None:
    """Write all pages."""
    for name in PAGES:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made(name), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
