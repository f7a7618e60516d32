"""Make `docs/gallery.md` and its pictures: every kind of figure, drawn from real runs, with what to look for.

    python benchmarks/gallery.py

Each picture holds its description, which the page takes as its alternative text. A test compares the page
with what is made of the pictures; another makes the runs again, and compares the axes with those drawn anew.
"""

import io
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kdcli.evidence.gather import gather
from kdcli.evidence.study import gather_study
from kdcli.figures import FIGURES, STUDY_FIGURES, FigureKind, StudyFigureKind
from kdcli.figures.canvas import described
from kdcli.report.drawing import collect
from kdcli.runs.experiment import Experiment
from kdcli.runs.studies import Study
from kdcli.store import Store, StudyFolder
from kdcli.sweeps.plot import view_of

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURES = DOCS / "gallery.md", DOCS / "gallery"
DOTS, SHADES = 100, 128  # dots per inch, and colours of a picture
COLUMNS = 120  # of the page's text

STUDY = """# trees.toml
base = "moons"

[data]
draws = 5

[students]
targets = ["labels", "hard", "soft"]

[vary]
"data.noise" = [0.1, 0.2, 0.3, 0.4]
"students.models" = [["tree:max_leaf_nodes=8"], ["tree:max_leaf_nodes=32"], ["tree"]]
"""
COMMANDS = {
    "gaussians": "kd run gaussians --draws 5",
    "moons": "kd run moons --draws 5",
    "digits": "kd run digits --draws 5",
    "wine": "kd run wine",
    "trees": "kd sweep trees.toml",
}
SOURCES = {  # the run or the study of each figure
    "learning-curves": "digits",
    "decision-boundaries": "moons",
    "accuracy-by-leaves": "moons",
    "metrics-by-temperature": "digits",
    "differences": "moons",
    "draws": "gaussians",
    "reliability": "digits",
    "accuracy-by-agreement": "gaussians",
    "cost-accuracy": "moons",
    "column-importance": "wine",
    "confusion-matrices": "digits",
    "dark-knowledge": "digits",
    "disagreements": "digits",
    "study-lines": "trees",
    "study-map": "trees",
}
KINDS: dict[str, FigureKind | StudyFigureKind] = {**FIGURES, **STUDY_FIGURES}
OPENING = f"""# The figures

Every kind of figure that kd draws, what it shows, and what to look for in it. `kd plot` draws those that suit
a run, and `kd plot --run STUDY` those of a study. The pictures were made of four runs and of this study:

```toml
{STUDY}```

```sh
{{commands}}
```

`benchmarks/gallery.py` makes this page and its pictures.
"""


def make_runs(outputs: Path) -> None:
    """Make the runs and the study that the figures are drawn of."""
    (outputs / "trees.toml").write_text(STUDY, encoding="utf-8")
    for command in COMMANDS.values():
        words = [sys.executable, "-m", "kdcli", *command.split()[1:]]
        environment = {**os.environ, "KD_OUTPUTS": str(outputs)}
        subprocess.run(words, cwd=outputs, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def figures_of(outputs: Path) -> Iterator[tuple[str, Figure]]:
    """Yield every kind of figure by its name."""
    for source in COMMANDS:
        names = [name for name in KINDS if SOURCES[name] == source]
        draw = study_drawer(outputs, source) if source == "trees" else run_drawer(outputs, source)
        yield from ((name, draw(name)) for name in names)


def run_drawer(outputs: Path, name: str) -> Callable[[str], Figure]:
    """Return what draws the figures of a run."""
    experiment = Experiment.open(Store(outputs).run(name))
    view, _ = collect(experiment, evidence=lambda: gather(experiment))
    return lambda figure: FIGURES[figure].draw(FIGURES[figure].seen(view))


def study_drawer(outputs: Path, name: str) -> Callable[[str], Figure]:
    """Return what draws the figures of a study."""
    view = view_of(gather_study(Study.open(StudyFolder(Store(outputs), name))))
    return lambda figure: STUDY_FIGURES[figure].draw(view)


def picture(figure: Figure) -> bytes:
    """Return a figure as a small PNG file that holds its description."""
    drawn, file, told = io.BytesIO(), io.BytesIO(), PngInfo()
    figure.savefig(drawn, format="png", dpi=DOTS)
    told.add_itxt("Description", described(figure))
    Image.open(drawn).convert("RGB").quantize(SHADES).save(file, "PNG", optimize=True, pnginfo=told)
    return file.getvalue()


def description(path: Path) -> str:
    """Return the description that a picture holds."""
    with Image.open(path) as image:
        return str(image.info["Description"])


def page(descriptions: Mapping[str, str]) -> str:
    """Return the text of the page, with a part for each figure in the order of `kd plot`."""
    parts = [OPENING.format(commands="\n".join(COMMANDS.values()))]
    for name, kind in KINDS.items():
        summary = f"{kind.summary[0].upper()}{kind.summary[1:]}."
        alternative = descriptions[name].replace("[", "(").replace("]", ")")
        seen = textwrap.fill(kind.see, COLUMNS, break_long_words=False, break_on_hyphens=False)
        parts.append(f"## {name}\n\n{summary}\n\n![{alternative}](gallery/{name}.png)\n\n{seen}\n")
        parts.append(f"Drawn from `{COMMANDS[SOURCES[name]]}`.\n")
    return "\n".join(parts)


def main() -> None:
    """Make the page and its pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder))
        for name, figure in figures_of(Path(folder)):
            (PICTURES / f"{name}.png").write_bytes(picture(figure))
            print(f"wrote {PICTURES / name}.png")
    text = page({name: description(PICTURES / f"{name}.png") for name in KINDS})
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
