"""Limits on the counts of `benchmarks/structure.py`, and tests of the counts on known code."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONG = "def long():\n" + "    pass\n" * 40
COMPLEX = "def tangled(x):\n" + "    if x: pass\n" * 10
FILES = {
    "pyproject.toml": '[project.scripts]\nkd = "lab.__main__:run"\n',
    "lab/__init__.py": "",
    "lab/models/__init__.py": "class Forest: ...\n",
    "lab/a.py": "def late():\n    from lab import b\n",
    "lab/b.py": "from lab import a\n",
    "lab/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lab import d\n",
    "lab/d.py": "from lab import c\n",
    "lab/looks.py": "x = 'a'\n",
    "tests/test_a.py": "",
    "tests/models/test_models.py": "",
    "tests/test_fuzz.py": "",
    "tests/test_gone.py": "",
    "tests/models/test_a.py": "",
}
Places = dict[str, list[str]]


def places(folder: Path, module: str = "", test: str = "") -> Places:
    """Count a small checkout that has this code in a module and in a test."""
    for name, content in {**FILES, "lab/looks.py": module, "tests/test_looks.py": test}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    counted: Places = runpy.run_path(str(ROOT / "benchmarks/structure.py"))["structure"](folder)[1]
    return counted


@pytest.mark.parametrize(
    ("row", "code", "count"),
    [
        ("functions over 40 lines", LONG, 1),
        ("functions over 40 lines", LONG.removesuffix("    pass\n"), 0),
        ("functions of complexity over 10", COMPLEX, 1),
        ("functions of complexity over 10", COMPLEX.removesuffix("    if x: pass\n"), 0),
        ("modules over 300 lines", "\n" * 301, 1),
        ("modules over 300 lines", "\n" * 300, 0),
        ("look-ups by a string", 'a["k"], b.get("k", 0), c().pop("k"), f"{d[\'k\']}"', 4),
        ("look-ups by a string", 'a["k"] = b[0]; del a["k"]; c: D["E"] = a.get(k); os.environ["K"]', 0),
        ("  of them, of records", 's.meta().config["k"], record.get("k"), splits["k"], config[k]', 2),
        ("family of models asked", "isinstance(m, Tree), type(m) is models.CNN, isinstance(m, (A, MLP))", 3),
        (
            "family of models asked",
            'm.family == "tree", m.family in ("mlp", "cnn"), isinstance(m, A | Tree)',
            3,
        ),
        ("family of models asked", "isinstance(m, Forest), issubclass(m, models.Forest)", 2),
        ("family of models asked", "match m:\n    case Tree(): pass\n    case 'cnn': pass", 2),
        ("family of models asked", "Tree(), isinstance(m, str), tree is None, Tree.parse(m)", 0),
        ("kind of artefact asked", 'n == "data", "teacher" in parents, n.startswith("students/")', 3),
        ("kind of artefact asked", 't.needs == "teacher", teacher is None, run.artefact("data")', 0),
        ("command texts", 'a = "see `kd plot`", f"kd {c} --help", f"kd distill{flag}", "first\\nkd runs"', 4),
        ("command texts", 'def f():\n    """`kd plot`: draw."""\n    return "a newer kd wrote it"', 0),
        ("vague names", "def f(one): return [found for found in one if f'{there}']", 5),
        ("vague names", "a.one = f(found=1)", 0),
    ],
)
def test_places_in_the_package(row: str, code: str, count: int, tmp_path: Path) -> None:
    assert len(places(tmp_path, code)[row]) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("from lab.a import _hidden", 1),
        ("from lab import a as stage\nstage._hidden()", 1),
        ("from lab import a\npatch.setattr(a, '_hidden', 1)\npatch.setattr('lab.a._hidden', 1)", 2),
        ("from lab import a\na.__version__, a.open, row._replace(x=1)", 0),
    ],
)
def test_private_names_in_tests(code: str, count: int, tmp_path: Path) -> None:
    assert len(places(tmp_path, test=code)["private names in tests"]) == count


def test_circles_and_mirrored_tests(tmp_path: Path) -> None:
    counted = places(tmp_path)
    assert counted["modules in import circles"] == [
        "lab.a: in a circle with lab.b",
        "lab.b: in a circle with lab.a",
    ]
    assert counted["tests that mirror no module"] == ["tests/models/test_a.py", "tests/test_gone.py"]


@pytest.fixture(scope="module")
def house() -> Places:
    counted: Places = runpy.run_path(str(ROOT / "benchmarks/structure.py"))["structure"](ROOT)[1]
    return counted


@pytest.mark.parametrize(
    "row",
    [
        "modules over 300 lines",
        "functions over 40 lines",
        "family of models asked",
        "kind of artefact asked",
        "modules in import circles",
        "private names in tests",
        "tests that mirror no module",
    ],
)
def test_the_house_has_none(row: str, house: Places) -> None:
    assert house[row] == []


def test_commands_are_written_where_they_are_rendered(house: Places) -> None:
    files = {place.split(":")[0] for place in house["command texts"]}
    cli = {f"kdcli/cli/{name}.py" for name in ("app", "commands", "evidence", "keeping", "main", "using")}
    assert files <= {*cli, "kdcli/commands.py"}
