"""The README tells the truth: its commands, its example, its map of the code."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import joblib
import polars as pl
import pytest
import torch
from customers import customers
from harness import Kd, opened
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from kdcli.targets import TARGETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = README.partition("\n## The code\n")[2]


def test_the_gate_runs_the_first_code_block() -> None:
    block = README.split("```")[1].strip().splitlines()
    assert block == [
        "pip install -c constraints.txt . && kd run",
        "pip install -c constraints.txt '.[test]' && pytest",
    ]
    assert "README.md" in (ROOT / ".ci/run").read_text()


def test_commands_and_options_exist(kd: Kd) -> None:
    lines = re.findall(r"^kd (.+)$", README, flags=re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        command, *words = line.split()
        help_text = kd(command, "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, line


def test_it_tells_of_every_target() -> None:
    for name, target in TARGETS.items():
        assert f"| `{name}` | {target.summary} |" in README


def test_the_python_example_runs(tiny: Path, kd: Kd, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.rename(tiny.with_name("gaussians"))
    _, example = re.findall(r"^```python\n(.+?)^```", README, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 it is our own
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


def test_the_teacher_in_three_lines_is_a_pipeline_of_scikit_learn(kd: Kd, outputs: Path) -> None:
    rows = pl.read_csv(customers())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan", "active"]), (SimpleImputer(), ["age", "spent"])
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    model.fit(rows.drop("left"), rows["left"].to_list())
    joblib.dump(model, "churn.joblib")
    example, _ = re.findall(r"^```python\n(.+?)^```", README, flags=re.MULTILINE | re.DOTALL)
    Path("readme_teacher.py").write_text(example)
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    assert kd("train-teacher", "--from", "readme_teacher.py:predict").code == 0
    run = opened(outputs / "customers")
    p = torch.from_numpy(model.predict_proba(rows.drop("left")))
    for split, index in run.data.pool.index.items():
        torch.testing.assert_close(run.teacher.logits[split].softmax(-1), p[index])


def test_the_tree_of_the_code_is_the_tree_there_is() -> None:
    tree = CODE.split("```")[1].strip().splitlines()
    named = [name for line in tree for name in line.partition("   ")[0].split()]
    top = {line.split()[0] for line in tree if not line.startswith(" ")}
    assert top == {"kdcli/", "tests/", "benchmarks/"}
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


@pytest.mark.parametrize("script", sorted(set(re.findall(r"(?<![\w/])(\w+\.py)`", README))))
def test_scripts_exist(script: str) -> None:
    assert (ROOT / "benchmarks" / script).exists()


def test_links_lead_to_headings() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", README):
        assert anchor in headings
