import json
import re
from pathlib import Path

import polars as pl
import pytest
from customers import customers
from harness import Kd


@pytest.fixture
def own(kd: Kd, outputs: Path) -> Path:
    """A run on customers in two draws, with trees, linear models and networks."""
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "2").code == 0
    models = ("--model", "tree:max_depth=3,linear,mlp:4", "--target", "labels", "--seeds", "2")
    assert kd("distill", *models, "--epochs", "5").code == 0
    return outputs / "customers"


def holds(condition: str, row: dict[str, object]) -> bool:
    """Whether a condition of a rule is true of a row as it stands in the file."""
    middles = {"spent": 85.0}
    if found := re.fullmatch(r"(\w+) (≤|>) (\S+)", condition):
        value = row[found[1]] if row[found[1]] is not None else middles[found[1]]
        return (float(str(value)) <= float(found[3].replace("−", "-"))) == (found[2] == "≤")
    name, words = condition.split(" is ")
    value, negated = words.removeprefix("not "), words.startswith("not ")
    return (str(row[name]) == value.strip("'")) != negated


def follow(lines: list[str], row: dict[str, object]) -> str:
    """Go down the rules as a person does, and return the class at the arrow."""
    depth = 0
    for line in lines:
        indent = (len(line) - len(line.lstrip())) // 4
        if indent == depth and "→" in line:
            return line.split()[1]
        if indent == depth and holds(
            line.strip().rstrip(":").removeprefix("if ").removeprefix("else, "), row
        ):
            depth += 1
    raise AssertionError("no rule holds")


def test_who_follows_the_rules_of_a_tree_predicts_as_it_does(kd: Kd, own: Path) -> None:
    for draw in ("0", "1"):
        told = json.loads(kd("export", "labels-tree-depth3", "--draw", draw, "--json").out)
        path = own / "exports/labels-tree-depth3.txt"
        assert Path(told["path"]).resolve() == path.resolve()
        text = path.read_text(encoding="utf-8")
        assert f"seed {told['seed']} of draw {draw}, of run customers" in text
        lines = [line for line in text.splitlines() if line.strip().startswith(("if ", "else, ", "→"))]
        assert (
            kd("predict", "labels-tree-depth3", "customers.csv", "--draw", draw, "--out", "p.csv").code == 0
        )
        rows = pl.read_csv("customers.csv", schema_overrides={"active": pl.String})
        there = rows["spent"].is_not_null()
        found = [follow(lines, row) for row in rows.filter(there).to_dicts()]
        assert found == pl.read_csv("p.csv").filter(there)["prediction"].to_list()
        assert len(set(found)) == 2


def test_to_stdout_and_to_a_file_of_ones_own(kd: Kd, own: Path) -> None:
    shown = kd("export", "labels-linear", "--out", "-").out
    assert "score of yes =" in shown
    assert kd("export", "labels-linear", "--out", "mine/linear.txt").code == 0
    assert Path("mine/linear.txt").read_text(encoding="utf-8") == shown
    assert not (own / "exports").exists()
    assert "exports/labels-linear.txt" not in kd("show").out


def test_exports_are_files_of_the_run(kd: Kd, own: Path) -> None:
    assert kd("export", "labels-linear").code == 0
    assert any("exports/labels-linear.txt" in line for line in kd("show").out.splitlines())
    assert kd("check").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["labels-mlp4"], "rules are of decision trees and linear models"),
        (["labels-line"], "no student set 'labels-line'; did you mean labels-linear?"),
        (["labels-linear", "--seed", "7"], "labels-linear has no seed 7"),
        (["labels-linear", "--draw", "2"], "there is no draw 2"),
        (["labels-linear", "--out", "-", "--json"], "cannot both be on stdout"),
    ],
)
def test_bad_input_writes_nothing(kd: Kd, own: Path, arguments: list[str], said: str) -> None:
    outcome = kd("export", *arguments)
    assert outcome.code in (1, 2)
    assert said in (outcome.out + outcome.err).replace("\n", " ")
    assert not (own / "exports").exists()
