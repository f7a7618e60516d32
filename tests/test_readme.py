"""The README is what the gate runs; examples that moved to `docs/` and the map of the code tell the truth."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from customers import customers
from harness import Kd, opened
from pages import PAGES, blocks

ROOT = Path(__file__).parent.parent
README, CODE = PAGES["README.md"], PAGES["docs/code.md"]


def python_of(page: str) -> list[str]:
    """Return the blocks of Python of a page."""
    return [block.text for block in blocks(page) if block.language == "python"]


def test_the_gate_runs_the_first_code_block() -> None:
    block = README.split("```")[1].strip().splitlines()
    assert block == [
        "pip install -c constraints.txt . && kd run",
        "pip install -c constraints.txt '.[test]' && pytest",
    ]
    assert "README.md" in (ROOT / ".ci/run").read_text()


def test_it_is_read_in_two_minutes() -> None:
    assert len(README.encode()) <= 5_500


def test_the_python_example_runs(tiny: Path, kd: Kd, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.rename(tiny.with_name("gaussians"))
    (example,) = python_of("docs/tasks/python.md")
    names: dict[str, Any] = {}
    exec(compile(example, "python.md", "exec"), names)  # noqa: S102 it is our own
    printed = capsys.readouterr().out.splitlines()
    assert names["x"].shape == (400, 2)
    assert printed[0] == str(names["student_set"].metrics["accuracy"])
    assert "(400, 2)" in printed
    assert [line.split()[0] for line in printed[-2:]] == ["labels-mlp4", "soft-T4-mlp4"]
    told = json.loads(kd("compare", "gaussians", "--metric", "brier", "--json").out)
    assert [students["name"] for students in told["students"]] == ["labels-mlp4", "soft-T4-mlp4"]
    assert [students["metrics"]["accuracy"]["mean"] for students in told["students"]] == [
        float(line.split()[1]) for line in printed[-2:]
    ]


def test_the_teacher_of_the_example_is_a_pipeline_of_scikit_learn(kd: Kd, outputs: Path) -> None:
    rows = pl.read_csv(customers())
    train, teacher = python_of("docs/tasks/own-teacher.md")
    names: dict[str, Any] = {}
    exec(compile(train, "train_big.py", "exec"), names)  # noqa: S102 it is our own
    Path("readme_teacher.py").write_text(teacher)
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    assert kd("train-teacher", "--from", "readme_teacher.py:predict").code == 0
    run = opened(outputs / "customers")
    p = torch.from_numpy(names["model"].predict_proba(rows.drop("left")))
    for split, index in run.data.pool.index.items():
        torch.testing.assert_close(run.teacher.logits[split].softmax(-1), p[index])


def test_the_tree_of_the_code_is_the_tree_there_is() -> None:
    tree = next(blocks("docs/code.md")).text.strip().splitlines()
    named = [name for line in tree for name in line.partition("   ")[0].split()]
    top = {line.split()[0] for line in tree if not line.startswith(" ")}
    assert top == {"kdcli/", "tests/", "docs/", "benchmarks/"}
    package = ROOT / "kdcli"
    folders = {f"{path.parent.name}/" for path in package.glob("*/*") if path.suffix in (".py", ".toml")}
    assert sorted(named) == sorted(top | folders | {path.name for path in package.glob("*.py")})


def test_what_is_added_has_the_place_that_is_named() -> None:
    rows = [row for row in CODE.splitlines() if row.startswith("| a ")]
    assert len(rows) >= 7
    for row in rows:
        place = row.split("|")[3]
        *names, file = re.findall(r"`([^`]+)`", place)
        module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assigned = {getattr(node, "name", None) for node in module.body}
        for node in module.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            assigned |= {target.id for target in targets if isinstance(target, ast.Name)}
        assert names
        assert set(names) <= assigned, row
        for path in re.findall(r"`(kdcli/[^`]+)`", row):
            assert (ROOT / path).exists(), row


SCRIPTS = {name for page in PAGES.values() for name in re.findall(r"`(?:benchmarks/)?(\w+\.py)`", page)}
OF_READERS = {"make_table.py", "train_big.py", "teacher.py"}  # which pages have a reader write


@pytest.mark.parametrize("script", sorted(SCRIPTS - OF_READERS))
def test_scripts_exist(script: str) -> None:
    assert (ROOT / "benchmarks" / script).exists()


def test_readers_write_what_they_are_told_to_run() -> None:
    files = {block.file for page in PAGES for block in blocks(page)}
    assert {file for file in files if file.endswith(".py")} == OF_READERS
