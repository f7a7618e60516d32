"""Python and JavaScript: a model as data, and code that runs it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError
from kdcli.exports.kind import TIMED, Exported, FormatKind, NotAtHandError, Ran, Rows
from kdcli.exports.literals import in_comment, javascript_text, literal, parameters, python_text
from kdcli.exports.process import REPORT, last_words, ran, version_of

if TYPE_CHECKING:
    from kdcli.models.computation import Computation

PLACE = "MODEL: dict[str, Any] = {}"  # the line in the Python code that the model replaces
PIXELS = "the pixels, channel by channel, and row by row"


def model_of(student: Exported) -> dict[str, Any]:
    """Return everything about a student that its code needs."""
    from kdcli.data.tables.columns import NO, YES
    from kdcli.data.tables.encoding import LARGEST

    computation = student.computation
    columns = [
        [c.name, c.kind, c.middle, c.missing, list(c.levels), c.others, c.numeric] for c in student.columns
    ]
    return {
        "classes": list(student.classes),
        "columns": columns,
        "features": student.x.shape[1],
        "fills": student.fills,
        "missing": list(student.missing),
        "yes": list(YES),
        "no": list(NO),
        "largest": LARGEST,
        "softmax": computation.softmax,
        **_parameters(computation),
    }


def _parameters(computation: Computation) -> dict[str, Any]:
    convolution, trees = computation.convolution, computation.trees
    found: dict[str, Any] = {"convolution": 0, "trees": 0}
    if convolution:
        filters = convolution.filters
        size = [*convolution.size, filters.shape[2]]
        found["convolution"] = [filters.reshape(len(filters), -1), convolution.bias, size]
    found["layers"] = [[layer.weight, layer.bias] for layer in computation.layers]
    if trees:
        found["trees"] = {
            "feature": trees.feature,
            "threshold": trees.threshold,
            "left": trees.branches[:, 0],
            "right": trees.branches[:, 1],
            "roots": trees.roots,
            "value": trees.value,
            "first": trees.first,
            "base": trees.base,
        }
    return found


def python(student: Exported) -> bytes:
    """Write a student as a Python file."""
    code = files("kdcli.exports").joinpath("standalone.py").read_text(encoding="utf-8")
    rest = code.partition("\n\n")[2]  # without its docstring
    model = model_of(student)
    header = f'"""{_described(student)}\n\nIt needs only Python 3.8 or later: see `predict_proba`.\n"""'
    written = parameters(model, python_text)
    return f"{header}\n\n{rest.replace(PLACE, f'MODEL: dict[str, Any] = {written}', 1)}".encode()


def javascript(student: Exported) -> bytes:
    """Write a student as an ES module."""
    code = files("kdcli.exports").joinpath("standalone.mjs").read_text(encoding="utf-8")
    model = model_of(student)
    header = f"// {_described(student)}\n// It needs no other file: see `predictProba`.\n"
    return f"{header}\nconst MODEL = {parameters(model, javascript_text)};\n\n{code}".encode()


def _described(student: Exported) -> str:
    return f"{in_comment(student.who)}, taught: {in_comment(student.taught)}, exported by kd."


def run_python(path: Path, student: Exported, rows: Rows) -> Ran:
    """Run a Python file with this Python, in a process without kd."""
    harness = files("kdcli.exports").joinpath("ask.py").read_text(encoding="utf-8")
    version = f"Python {sys.version.split()[0]}"
    return _ran(version, [sys.executable, "-I", "-c", harness, str(path.resolve())], student, rows)


def run_javascript(path: Path, student: Exported, rows: Rows) -> Ran:
    """Run an ES module with Node.js; raises `NotAtHandError` if that is not installed."""
    import shutil

    node = shutil.which("node")
    if not node:
        raise NotAtHandError("there is no node on the PATH")
    if (tried := ran([node, "--input-type=module", "-e", "await 0"])).returncode:
        raise NotAtHandError(f"{node} cannot run modules: {last_words(tried)}")
    harness = files("kdcli.exports").joinpath("ask.mjs").read_text(encoding="utf-8")
    command = [node, "--input-type=module", "-e", harness, "--", path.resolve().as_uri()]
    return _ran(f"Node.js {version_of([node])}", command, student, rows)


def _ran(by: str, command: list[str], student: Exported, rows: Rows) -> Ran:
    """Get predictions from a process: rows are written to it, and predictions read from it, in JSON."""
    import json

    import numpy as np

    asked = {"rows": list(rows.raw) if student.columns else rows.x.tolist(), "timed": TIMED}
    done = ran(command, json.dumps(asked).encode())
    if done.returncode:
        raise KdError(f"the export fails in {by}: {last_words(done)}", REPORT)
    try:
        answers = json.loads(done.stdout)
    except ValueError:
        raise NotAtHandError(f"{by} does not print valid JSON") from None
    classes = {name: k for k, name in enumerate(student.classes)}
    predicted = np.array([classes[name] for name in answers["predicted"]])
    return Ran(by, np.array(answers["p"]), predicted, answers["microseconds"])


def _sample(student: Exported, text: Callable[[str], str], nothing: str) -> str:
    """Return a golden row as a dict, with one line for each column."""
    pairs = zip(student.columns, student.golden.raw[0], strict=True)
    lines = [
        f"    {text(column.name)}: {nothing if value is None else literal(value, text)},"
        for column, value in pairs
    ]
    return "\n".join(["{", *lines, "}"])


def _python_usage(file: str, student: Exported) -> str:
    quoted = shlex.quote(file)
    rows = (
        f", `python {quoted} ROWS.csv` prints predictions (commas, a header, plain numbers)"
        if student.columns
        else ""
    )
    row = (
        f"{_sample(student, python_text, 'None')}  # a synthetic row"
        if student.columns
        else f"[...]  # {PIXELS}"
    )
    return (
        f"Load it by its path; it needs only Python 3.8 or later.\n\n```python\n"
        f"import importlib.util\n\nspec = importlib.util.spec_from_file_location('student', '{file}')\n"
        "student = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(student)\n\n"
        f"row = {row}\nstudent.predict(row)  # one of student.CLASSES\nstudent.predict_proba(row)\n```\n\n"
        f"`python {quoted} {shlex.quote(file + '.golden.json')}` checks it{rows}."
    )


def _javascript_usage(file: str, student: Exported) -> str:
    row = f"[...];  // {PIXELS}"
    if student.columns:
        row = f"{_sample(student, javascript_text, 'null')};  // a synthetic row"
    return (
        "It is an ES module, for a browser (served over HTTP) or Node.js.\n\n```javascript\n"
        f"import {{ CLASSES, predict, predictProba }} from './{file}';\n\nconst row = {row}\n"
        "predict(row);  // one of CLASSES\npredictProba(row);\n```\n\n"
        "`check(golden)`, with the golden vectors parsed from JSON, returns how many do not match."
    )


PYTHON = FormatKind(
    "one Python file that needs no other package",
    ".py",
    python,
    lambda student: "",
    _python_usage,
    run_python,
    speed=1e7,
)
JAVASCRIPT = FormatKind(
    "one ES module, for a browser",
    ".mjs",
    javascript,
    lambda student: "",
    _javascript_usage,
    run_javascript,
    speed=1e8,
)
