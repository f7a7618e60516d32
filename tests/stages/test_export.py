import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
from customers import customers
from harness import Kd

from kdcli.exports import Exported, scripts


@pytest.fixture
def own(kd: Kd, outputs: Path) -> Path:
    """A run on customers in two draws, with trees, linear models and networks."""
    customers()
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "2").code == 0
    models = ("--model", "tree:max_depth=3,linear,mlp:4", "--target", "labels", "--seeds", "2")
    assert kd("distill", *models, "--epochs", "5").code == 0
    return outputs / "customers"


def holds(condition: str, row: dict[str, object]) -> bool:
    """Whether a condition of a rule holds for a row of the file."""
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
        rules = ("--format", "rules", "--draw", draw)
        told = json.loads(kd("export", "labels-tree-depth3", *rules, "--json").out)
        path = own / "exports/labels-tree-depth3-rules/labels-tree-depth3.txt"
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
    shown = kd("export", "labels-linear", "--format", "rules", "--out", "-")
    assert "score of yes =" in shown.out
    assert "Unproven" in shown.err
    assert kd("export", "labels-linear", "--format", "rules", "--out", "mine/linear.txt").code == 0
    assert Path("mine/linear.txt").read_text(encoding="utf-8") == shown.out
    assert {path.name for path in Path("mine").iterdir()} == {
        *("linear.txt", "linear.txt.golden.json", "MODEL_CARD.md")
    }
    assert not (own / "exports").exists()


def test_the_card_of_another_model_is_not_replaced(kd: Kd, own: Path) -> None:
    assert kd("export", "labels-linear", "--out", "mine/linear.py").code == 0
    card = Path("mine/MODEL_CARD.md")
    before = card.read_text()
    assert kd("export", "labels-mlp4", "--out", "mine/net.py").code == 0
    assert card.read_text() == before
    assert "labels-mlp4" in Path("mine/net.py.MODEL_CARD.md").read_text()
    refused = kd("export", "labels-mlp4", "--out", "mine/linear.py")
    assert refused.code == 1
    assert "mine/linear.py exists and is not an export of labels-mlp4" in refused.err
    assert card.read_text() == before
    assert kd("export", "labels-linear", "--out", "mine/linear.py").code == 0
    assert kd("export", "labels-mlp4", "--out", "mine/linear.py", "--force").code == 0
    assert "labels-mlp4" in card.read_text()


@pytest.mark.parametrize(
    ("name", "started"), [("a.txt", "labels-linear,"), ("a.PY", '"""labels-linear,'), ("a", '"""')]
)
def test_the_name_of_a_file_tells_its_format(kd: Kd, own: Path, name: str, started: str) -> None:
    assert kd("export", "labels-linear", "--out", name).code == 0
    assert Path(name).read_text(encoding="utf-8").startswith(started)


def test_exports_are_files_of_the_run(kd: Kd, own: Path) -> None:
    made = kd("export", "labels-linear")
    assert "Proven by Python" in made.out
    names = {f"exports/labels-linear-python/{name}" for name in ("labels-linear.py", "MODEL_CARD.md")}
    shown = kd("show").out
    assert all(name in shown for name in names)
    assert kd("check").code == 0


def test_without_a_set_the_smallest_good_one_leaves(kd: Kd, own: Path) -> None:
    chosen = json.loads(kd("choose", "--json").out)["chosen"]
    made = json.loads(kd("export", "--json").out)
    assert made["students"] == chosen
    assert made["proven"]
    assert made["proof"]["tested"] == made["proof"]["of"] == 40
    assert "kd choose" in kd("export").out


def test_an_export_that_disagrees_leaves_nothing(kd: Kd, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kd("export", "labels-linear").code == 0
    files = {path: path.read_bytes() for path in own.joinpath("exports").rglob("*") if path.is_file()}
    model_of = scripts.model_of

    def spoiled(student: Exported) -> dict[str, Any]:
        model = model_of(student)
        model["layers"] = [[weight, bias + np.array([0, 0.01])] for weight, bias in model["layers"]]
        return model

    monkeypatch.setattr(scripts, "model_of", spoiled)
    for more in ((), ("--out", "mine/linear.py")):
        failed = kd("export", "labels-linear", *more)
        assert failed.code == 1
        assert "the export disagrees with the student: Python" in failed.err.replace("\n", " ")
    assert files == {path: path.read_bytes() for path in own.joinpath("exports").rglob("*") if path.is_file()}
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["labels-mlp4", "--format", "rules"], "only decision trees and linear models can be written"),
        (["labels-line"], "no student set 'labels-line'; did you mean labels-linear?"),
        (["labels-linear", "--seed", "7"], "labels-linear has no seed 7"),
        (["labels-linear", "--draw", "2"], "there is no draw 2"),
        (["labels-linear", "--out", "-", "--json"], "cannot both go to stdout"),
        (["labels-linear", "--format", "onnx", "--out", "-"], "is not text and cannot be printed"),
        (["labels-linear", "--out", "mine/MODEL_CARD.md"], "is the name of the model card"),
        (["labels-linear", "--out", "mine/"], "mine/ is a folder"),
        (
            ["labels-linear", "--format", "c", "--out", "a.py"],
            ".py is the suffix of python",
        ),
        (["labels-linear", "--encoded"], "--encoded does not apply to one Python file"),
    ],
)
def test_bad_input_writes_nothing(kd: Kd, own: Path, arguments: list[str], said: str) -> None:
    outcome = kd("export", *arguments)
    assert outcome.code in (1, 2)
    assert said in (outcome.out + outcome.err).replace("\n", " ")
    assert not (own / "exports").exists()


def test_a_model_that_is_fed_the_raw_columns_says_what_kd_predict_says(kd: Kd, own: Path) -> None:
    assert kd("export", "labels-mlp4", "--format", "onnx", "--out", "student.onnx").code == 0
    assert kd("predict", "labels-mlp4", "customers.csv", "--out", "said.csv").code == 0
    rows, said = pl.read_csv("customers.csv"), pl.read_csv("said.csv")
    session = onnxruntime.InferenceSession("student.onnx")
    asked = {}
    for value in session.get_inputs():
        column = rows[value.name]
        numbers = value.type == "tensor(float)"
        column = column.cast(pl.Float32).fill_null(float("nan")) if numbers else column.cast(pl.String)
        asked[value.name] = column.to_numpy().astype(np.float32 if numbers else object).reshape(-1, 1)
    label, p = session.run(["label", "probabilities"], asked)
    assert label.tolist() == said["prediction"].to_list()
    np.testing.assert_allclose(p, said.select("p_no", "p_yes").to_numpy(), atol=1e-5)


def test_a_file_of_python_says_what_kd_predict_says(kd: Kd, own: Path) -> None:
    assert kd("export", "labels-tree-depth3", "--out", "student.py").code == 0
    assert kd("predict", "labels-tree-depth3", "customers.csv", "--out", "said.csv").code == 0
    done = subprocess.run([sys.executable, "student.py", "customers.csv"], capture_output=True, check=True)
    found, said = pl.read_csv(done.stdout), pl.read_csv("said.csv")
    assert found["prediction"].to_list() == said["prediction"].to_list()
    names = ["p_no", "p_yes"]
    np.testing.assert_allclose(found.select(names).to_numpy(), said.select(names).to_numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "gaussians"])
def test_students_of_images_and_points_leave(kd: Kd, outputs: Path, name: str) -> None:
    assert kd("gen-data", name).code == 0
    assert kd("distill", "--target", "labels", "--model", "linear", "--seeds", "1", "--epochs", "2").code == 0
    for file_format in ("python", "onnx", *(["c"] if shutil.which("cc") else [])):
        assert json.loads(kd("export", "--format", file_format, "--json").out)["proven"]


def test_one_column_and_more_classes_than_features(kd: Kd, outputs: Path) -> None:
    rows = "".join(f"{k % 30},{'abc'[k % 30 // 10]}\n" for k in range(150))
    Path("one.csv").write_text("x,y\n" + rows)
    assert kd("gen-data", "one.csv", "--label", "y", "--draws", "1").code == 0
    models = ("--model", "linear,tree:max_depth=3", "--target", "labels", "--seeds", "1", "--epochs", "2")
    assert kd("distill", *models).code == 0
    for name in ("labels-linear", "labels-tree-depth3"):
        assert json.loads(kd("export", name, "--json").out)["proven"]


def test_values_as_other_programs_spell_them_mean_the_same(kd: Kd, outputs: Path) -> None:
    # As pandas writes columns of numbers that lack some: 1.0, 0.0 and blanks.
    random = np.random.default_rng(0)
    lines = []
    for k in range(300):
        flag, code = random.choice(["1.0", "0.0", ""]), random.choice(["1", "2.5", "4", ""])
        grade, size = random.choice(["3.0", "7.0", ""]), random.choice(["S", "M", "NA"])
        day = f"{random.integers(1, 28)}.{random.integers(1, 13)}.20{random.integers(10, 25)}"
        lines.append(f"{flag},{code},{grade},{size},{random.choice(['Yes', 'no'])},{day},{'ab'[k % 2]}")
    Path("spelled.csv").write_text("flag,code,grade,size,active,when,y\n" + "\n".join(lines) + "\n")
    categories = ("--categorical", "code", "--categorical", "grade")
    assert kd("gen-data", "spelled.csv", "--label", "y", "--draws", "1", *categories).code == 0
    models = ("--model", "mlp:4", "--target", "labels", "--seeds", "1", "--epochs", "3")
    assert kd("distill", *models).code == 0
    assert kd("predict", "labels-mlp4", "spelled.csv", "--out", "said.csv").code == 0
    said = pl.read_csv("said.csv").select("p_a", "p_b").to_numpy()
    assert said[:, 0].std() > 0.01
    assert kd("export", "labels-mlp4", "--out", "student.py").code == 0
    done = subprocess.run([sys.executable, "student.py", "spelled.csv"], capture_output=True, check=True)
    np.testing.assert_allclose(pl.read_csv(done.stdout).select("p_a", "p_b").to_numpy(), said, atol=1e-5)
    assert kd("export", "labels-mlp4", "--format", "onnx", "--out", "student.onnx").code == 0
    rows = pl.read_csv("spelled.csv", infer_schema=False)
    session = onnxruntime.InferenceSession("student.onnx")
    asked = {
        value.name: days(rows["when"]) if value.name == "when" else typed(rows[value.name], value.type)
        for value in session.get_inputs()
    }
    assert {value.name for value in session.get_inputs() if "string" in value.type} == {"size", "active"}
    np.testing.assert_allclose(session.run(["probabilities"], asked)[0], said, atol=1e-5)


def days(column: pl.Series) -> np.ndarray:
    return column.str.to_date("%d.%m.%Y").cast(pl.Int32).cast(pl.Float64).to_numpy().reshape(-1, 1)


def typed(column: pl.Series, kind: str) -> np.ndarray:
    if kind == "tensor(string)":
        return column.fill_null("").to_numpy().astype(object).reshape(-1, 1)
    numbers = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().reshape(-1, 1)
    return numbers.astype(np.float32) if kind == "tensor(float)" else numbers


def test_words_that_look_like_numbers_stay_words(kd: Kd, outputs: Path) -> None:
    lines = [
        f"{['1.1', '1.10', '2.4', '2.40', 'beta'][k * k % 5]},{k % 7},{'ab'[k % 3 > 0]}" for k in range(200)
    ]
    Path("versions.csv").write_text("version,n,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "versions.csv", "--label", "y", "--draws", "1").code == 0
    assert kd("distill", "--model", "tree", "--target", "labels", "--seeds", "1").code == 0
    assert kd("predict", "labels-tree", "versions.csv", "--out", "said.csv").code == 0
    assert kd("export", "labels-tree", "--out", "student.py").code == 0
    done = subprocess.run([sys.executable, "student.py", "versions.csv"], capture_output=True, check=True)
    names = ["p_a", "p_b"]
    found, said = pl.read_csv(done.stdout).select(names), pl.read_csv("said.csv").select(names)
    np.testing.assert_allclose(found.to_numpy(), said.to_numpy(), atol=1e-5)


def test_dates_at_the_ends_of_the_calendar(kd: Kd, outputs: Path) -> None:
    days = ["0001-01-01", "0904-12-15", "1970-01-01", "9999-12-31"]
    lines = [f"{days[k % 4]},{days[k * k % 4]} 23:59:59,{'ab'[k % 3 > 0]}" for k in range(120)]
    Path("dates.csv").write_text("day,moment,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "dates.csv", "--label", "y", "--draws", "1").code == 0
    assert kd("distill", "--model", "tree:max_depth=3", "--target", "labels", "--seeds", "1").code == 0
    for file_format in ("python", "onnx", "rules"):
        assert kd("export", "--format", file_format).code == 0


def test_all_files_are_written_or_none(kd: Kd, own: Path) -> None:
    Path("mine/linear.py.golden.json").mkdir(parents=True)
    Path("mine/linear.py").write_text("before")
    failed = kd("export", "labels-linear", "--out", "mine/linear.py", "--force")
    assert failed.code == 1
    assert "is a folder, not a file" in failed.err
    assert Path("mine/linear.py").read_text() == "before"
    assert {path.name for path in Path("mine").iterdir()} == {"linear.py", "linear.py.golden.json"}


def test_what_is_neither_yes_nor_no_is_refused(kd: Kd, own: Path) -> None:
    text = Path("customers.csv").read_text()
    Path("odd.csv").write_text(text.replace(",yes,", ",perhaps,", 1))
    refused = kd("predict", "labels-mlp4", "odd.csv", "--out", "p.csv")
    assert refused.code == 1
    assert "column 'active' has 'perhaps', which is neither yes nor no" in refused.err
