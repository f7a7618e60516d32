import re
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
import torch
from customers import customers
from harness import Kd, opened
from onnx import TensorProto, helper, numpy_helper

import kdcli

SCORES = """
import sys
import numpy as np
import kdcli

def predict(rows):
    return kdcli.open_run("tiny", outputs={outputs!r}).teacher.predict_proba(rows.to_numpy())

if __name__ == "__main__":
    x = np.loadtxt(sys.stdin, delimiter=",", skiprows=1, dtype=np.float32, ndmin=2)
    answers = kdcli.open_run("tiny", outputs={outputs!r}).teacher.predict_proba(x)
    print("\\n".join(",".join(map(repr, map(float, row))) for row in answers))
"""


def as_onnx(path: str) -> None:
    """Write the teacher of the run "tiny", a network with one hidden layer, as an ONNX model."""
    tensors = opened(Path("outputs/tiny")).teacher.load_tensors()
    flat = {name: tensor[0, 0].numpy() for name, tensor in tensors.items()}
    names = {"w1": "weights.0", "b1": "biases.0", "w2": "weights.1", "b2": "biases.1"}
    values = {key: flat[name] for key, name in names.items()}
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["z"], transB=1),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.squeeze(value), key) for key, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def students(kd: Kd, run: Path, source: str) -> torch.Tensor:
    """Take a teacher, train students, and return their logits on the test split."""
    assert kd("train-teacher", "--from", source, "--force").code == 0
    assert kd("distill", "--target", "soft", "--epochs", "5", "--force").code == 0
    (trained,) = [t for t in opened(run).students() if t.set.target == "soft" and not t.stale]
    return trained.load_tested()


def test_the_same_teacher_in_five_ways_teaches_the_same(kd: Kd, tiny: Path) -> None:
    x, (n, _) = opened(tiny).data.pool.x, opened(tiny).data.pool.x.shape
    assert kd("distill", "--target", "soft", "--epochs", "5", "--force").code == 0
    (own,) = [t.load_tested() for t in opened(tiny).students() if t.set.target == "soft"]
    p = kdcli.open_run("tiny").teacher.predict_proba(x.numpy())
    assert p.shape == (n, 2)
    np.savez("p.npz", p=p)
    pl.DataFrame({"p_1": p[:, 1], "p_0": p[:, 0]}).write_csv("p.csv")
    as_onnx("teacher.onnx")
    shutil.copytree(tiny.parent, "elsewhere")
    Path("taught_elsewhere.py").write_text(SCORES.format(outputs=str(Path("elsewhere").absolute())))
    by_npz = students(kd, tiny, "p.npz")
    assert torch.equal(by_npz, students(kd, tiny, "p.csv"))
    assert torch.equal(by_npz, students(kd, tiny, "taught_elsewhere.py:predict"))
    assert torch.equal(by_npz, students(kd, tiny, f"command:{sys.executable} taught_elsewhere.py"))
    torch.testing.assert_close(students(kd, tiny, "teacher.onnx"), by_npz, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(own, by_npz, rtol=1e-4, atol=1e-4)


def table(kd: Kd) -> pl.DataFrame:
    """Make a run of customers, some of whom have no label; returns their rows as they are in the file."""
    file = customers(rows=200)
    lines = Path(file).read_text().splitlines()
    for k in (3, 50):
        lines[k] = lines[k].rpartition(",")[0] + ","
    Path(file).write_text("\n".join(lines) + "\n")
    assert kd("gen-data", file, "--label", "left", "--draws", "2").code == 0
    return pl.read_csv(file)


def answers(rows: pl.DataFrame) -> np.ndarray:
    """Probabilities that tell rows apart, and are not bad: of "no", and of "yes"."""
    odds = (rows["age"].to_numpy() - 43) / 8 - (rows["spent"].fill_null(85.0).to_numpy() - 88) / 30
    yes = 1 / (1 + np.exp(-odds))
    return np.stack([1 - yes, yes], 1)


def expected(run: Path, rows: pl.DataFrame) -> dict[str, np.ndarray]:
    data = opened(run).data
    labelled = answers(rows)[rows["left"].is_not_null().to_numpy()]
    return {split: labelled[index.numpy()] for split, index in data.pool.index.items()}


@pytest.mark.parametrize("way", ["position", "id", "function"])
def test_rows_without_a_label_are_passed_over(kd: Kd, outputs: Path, way: str) -> None:
    rows, run = table(kd), outputs / "customers"
    p = answers(rows)
    frame = pl.DataFrame({"customerID": rows["customerID"], "no": p[:, 0], "yes": p[:, 1]})
    if way == "position":
        frame.drop("customerID").write_csv("p.csv")
        outcome = kd("train-teacher", "--from", "p.csv")
    elif way == "id":
        frame.sample(fraction=1, shuffle=True, seed=1).write_parquet("p.parquet")
        outcome = kd("train-teacher", "--from", "p.parquet", "--id", "customerID")
    else:
        frame.write_csv("p.csv")
        Path("taught_elsewhere.py").write_text(
            "import polars as pl\n\n"
            "def predict(rows):\n"
            "    assert rows.columns == ['customerID', 'age', 'plan', 'active', 'spent']\n"
            "    assert rows['age'].dtype == pl.Float64 and rows['plan'].dtype == pl.String\n"
            "    p = rows.join(pl.read_csv('p.csv'), on='customerID', how='left', maintain_order='left')\n"
            "    return p['yes'].to_numpy()\n"
        )
        outcome = kd("train-teacher", "--from", "taught_elsewhere.py:predict")
    assert outcome.code == 0, outcome.err
    for split, values in expected(run, rows).items():
        found = opened(run).teacher.logits[split].softmax(-1).numpy()
        np.testing.assert_allclose(found, values, rtol=1e-12)


def test_a_teacher_is_taken_once_and_another_is_refused(kd: Kd, outputs: Path) -> None:
    p = answers(table(kd))
    np.save("p.npy", p)
    assert kd("train-teacher", "--from", "p.npy").code == 0
    assert "is up to date" in kd("train-teacher", "--from", "p.npy").out
    np.save("p.npy", p**2 / (p**2).sum(1, keepdims=True))
    outcome = kd("train-teacher", "--from", "p.npy")
    assert outcome.code == 1
    assert "was made from a file that has changed since" in outcome.err
    assert "--force" in outcome.err
    assert "kd gen-data --recipe" in outcome.err


def test_a_whole_run_takes_predictions_that_are_matched_by_an_id(kd: Kd, outputs: Path) -> None:
    rows = table(kd)
    frame = pl.DataFrame({"customerID": rows["customerID"], "yes": answers(rows)[:, 1]})
    frame.sample(fraction=1, shuffle=True, seed=1).write_csv("p.csv")
    given = ("--label", "left", "--draws", "1", "--seeds", "1", "--run", "own")
    shuffled = kd("run", "customers.csv", *given, "--from", "p.csv")
    assert "p.csv, line 2: column 'customerID' has the values of the data in another order" in shuffled.err
    assert "--id customerID matches rows by it" in shuffled.err
    told = kd("run", "customers.csv", *given, "--from", "p.csv", "--id", "customerID")
    assert told.code == 0, told.err
    assert "$ kd train-teacher --id customerID --from p.csv" in told.out
    assert opened(outputs / "own").recipe.teacher.id_column == "customerID"


def test_a_run_goes_on_when_the_name_of_its_teacher_is_mended(kd: Kd, outputs: Path) -> None:
    rows = table(kd)
    np.save("p.npy", answers(rows))
    Path("score.py").write_text("def predict(rows):\n    return rows['age'].fill_null(40) / 100\n")
    given = ("run", "customers.csv", "--label", "left", "--draws", "1", "--seeds", "1", "--run", "own")
    assert "there is no file scor.py" in kd(*given, "--from", "scor.py:predict").err
    assert not (outputs / "own").exists()  # nothing is made before the teacher is found
    assert "did you mean predict" in kd(*given, "--from", "score.py:predct").err
    told = kd(*given, "--from", "score.py:predict")
    assert told.code == 0, told.err
    assert opened(outputs / "own").recipe.teacher.source.endswith("score.py:predict")
    outcome = kd(*given, "--from", "p.npy")  # another teacher is there now
    assert outcome.code == 1
    assert "run own has another recipe" in outcome.err


def test_one_teacher_of_several_draws_is_told_as_one(kd: Kd, outputs: Path) -> None:
    np.save("p.npy", answers(table(kd)))
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "3", "--run", "own").code == 0
    told = kd("train-teacher", "--from", "p.npy").out.replace("\n", " ")
    assert "run own: teacher p.npy in" in told
    assert "mean test accuracy" in told
    assert "kd cannot know which rows this teacher was trained on" in told
    assert kd("distill", "--model", "tree:max_depth=2", "--seeds", "2").code == 0
    assert "with students of its own, and the same teacher" in kd("compare").out.replace("\n", " ")


def test_classes_in_another_order_are_refused_unless_the_order_is_trusted(kd: Kd, outputs: Path) -> None:
    np.save("p.npy", answers(table(kd))[:, ::-1])
    outcome = kd("train-teacher", "--from", "p.npy")
    assert outcome.code == 1
    assert "--trust-order" in outcome.err
    told = kd("train-teacher", "--from", "p.npy", "--trust-order")
    assert told.code == 0
    assert "always predicting the most frequent class" in told.out.replace("\n", " ")


def test_labels_in_place_of_probabilities_are_told(kd: Kd, outputs: Path) -> None:
    labels = answers(table(kd)).argmax(1)
    said = "Every prediction is certain: the soft labels are the same as the hard labels"
    for values in (labels, np.eye(2)[labels]):
        np.save("p.npy", values)
        assert said in kd("train-teacher", "--from", "p.npy", "--force").out.replace("\n", " ")
    np.save("p.npy", answers(table(kd)))
    assert said not in kd("train-teacher", "--from", "p.npy", "--force").out.replace("\n", " ")


def test_columns_that_are_taken_by_their_order_are_told_also_later(kd: Kd, outputs: Path) -> None:
    rows = table(kd)
    pl.DataFrame(answers(rows), ["A", "B"]).filter(rows["left"].is_not_null()).write_csv("p.csv")
    Path("taught_elsewhere.py").write_text(
        "import polars as pl\n\ndef predict(rows):\n    return pl.read_csv('p.csv')\n"
    )
    for source in ("p.csv", "command:cat p.csv", "taught_elsewhere.py:predict"):
        for force in (["--force"], []):
            told = kd("train-teacher", "--from", source, "--trust-order", *force)
            assert told.code == 0, told.err
            said = "Its columns A and B are read as the classes no and yes, in this order."
            assert said in told.out.replace("\n", " ")


def test_rows_that_a_command_shifts_are_recognised(kd: Kd, tiny: Path) -> None:
    p = 0.1 + 0.8 * np.eye(2)[opened(tiny).data.pool.y]
    p[1::7] = p[1::7, ::-1]
    pl.DataFrame(np.roll(p, 1, 0), ["0", "1"]).write_csv("p.csv")
    outcome = kd("train-teacher", "--from", "command:cat p.csv", "--force")
    assert outcome.code == 1
    assert "each answer looks like that of the row before" in outcome.err.replace("\n", " ")


def test_code_runs_only_where_the_command_names_it(kd: Kd, tiny: Path) -> None:
    Path("taught_elsewhere.py").write_text(
        "def predict(rows):\n    return (rows['x₁'] > 0).to_numpy().astype(float)\n"
    )
    recipe = tiny / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('source = ""', 'source = "taught_elsewhere.py:predict"'))
    for command in (["train-teacher", "--force"], ["run", str(recipe), "--run", "other"]):
        outcome = kd(*command)
        assert outcome.code == 1
        assert re.search(r"kd train-teacher --from (/\S+/)?taught_elsewhere\.py:predict", outcome.err)
    assert kd("train-teacher", "--from", "taught_elsewhere.py:predict", "--force").code == 0
    assert kd("run", str(recipe), "--run", "third", "--from", "taught_elsewhere.py:predict").code == 0


def test_a_file_of_code_is_the_same_from_any_folder(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("code").mkdir()
    Path("code/mine.py").write_text(
        "def predict(rows):\n    return (rows['x₁'] > 0).to_numpy() * 0.8 + 0.1\n"
    )
    assert kd("train-teacher", "--from", "code/mine.py:predict", "--force").code == 0
    settings = opened(tiny).teacher.meta.config
    assert settings["source"] == f"{Path('code/mine.py').absolute()}:predict"
    assert set(settings) == {"source", "logits", "trust_order", "digest"}
    assert "from mine.py:predict" in kd("show").out
    monkeypatch.chdir("code")
    assert "is up to date" in kd("train-teacher", "--from", "mine.py:predict").out
    outcome = kd("distill", "--transfer", "train+munge:1", "--epochs", "2", "--force")
    assert outcome.code == 1
    assert str(Path("mine.py").absolute()) in outcome.err
    told = kd(
        "distill", "--transfer", "train+munge:1", "--epochs", "2", "--force", "--from", "mine.py:predict"
    )
    assert told.code == 0, told.err


@pytest.mark.parametrize("source", ["loads.py:predict", "command:{python} loads.py"])
def test_force_asks_code_anew_since_what_it_loads_may_have_changed(
    kd: Kd, outputs: Path, source: str
) -> None:
    customers()
    Path("loads.py").write_text(
        "import sys\nfrom pathlib import Path\nimport polars as pl\n"
        "def predict(rows):\n"
        "    slope = float(Path(__file__).with_name('slope.txt').read_text())\n"
        "    p = 1 / (1 + (slope * (rows['age'] - 43)).exp())\n"
        "    return pl.DataFrame({'no': p, 'yes': 1 - p}).to_numpy()\n"
        "if __name__ == '__main__':\n"
        "    answers = predict(pl.read_csv(sys.stdin.buffer))\n"
        "    print('\\n'.join(','.join(map(repr, map(float, row))) for row in answers))\n"
    )
    Path("slope.txt").write_text("0.1")
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    wanted = ("train-teacher", "--from", source.format(python=sys.executable))
    assert kd(*wanted).code == 0
    before = opened(outputs / "customers").teacher.logits["test"].diff()
    Path("slope.txt").write_text("0.2")
    assert "up to date" in kd(*wanted).out
    outcome = kd(*wanted, "--force")
    assert outcome.code == 0
    assert "up to date" not in outcome.out
    torch.testing.assert_close(opened(outputs / "customers").teacher.logits["test"].diff(), 2 * before)


def test_a_table_that_has_changed_since_is_refused(kd: Kd, outputs: Path) -> None:
    np.save("p.npy", answers(table(kd)))
    customers(rows=201)
    outcome = kd("train-teacher", "--from", "p.npy")
    assert outcome.code == 1
    assert "SHA-256" in outcome.err


def test_what_needs_the_teacher_itself_is_left_out_with_the_reason(kd: Kd, tiny: Path) -> None:
    x = opened(tiny).data.pool.x
    np.save("p.npy", kdcli.open_run("tiny").teacher.predict_proba(x.numpy()))
    assert kd("train-teacher", "--from", "p.npy", "--force").code == 0
    assert kd("distill", "--force", "--epochs", "3").code == 0
    drawn = kd("plot", "decision-boundaries")
    assert "leaves out the teacher, since only its predictions are stored" in drawn.out
    assert kd("compare", "--full").code == 0
    assert "from p.npy" in kd("show").out
    with pytest.raises(kdcli.KdError, match=r"p\.npy is not stored, only its predictions"):
        _ = kdcli.open_run("tiny").teacher


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "p.npy", "--epochs", "3"], "--epochs: no effect here"),
        (["--from", "p.npy", "--epochs", "3"], "an existing teacher is not trained; leave it out"),
        (["--from", "p.npy", "--epochs", "3", "--seed", "1"], "is not trained; leave them out"),
        (["--id", "customerID"], "--id: no effect here"),
        (["--id", "customerID"], "--id is for a file of predictions (--from); leave it out"),
        (["--logits"], "--logits is for an existing teacher (--from); leave it out"),
        (["--from", "p.npy", "--timeout", "3"], "--timeout is for a command; leave it out"),
        (["--from", "p.npy", "--scaling", "raw"], "--scaling is for an ONNX model; leave it out"),
        (["--from", "m.onnx", "--id", "k"], "--id is for a file of predictions; leave it out"),
        (["--from", "f.py:p", "--id", "k", "--timeout", "3"], "--id, --timeout: no effect here"),
        (["--from", "f.py:p", "--timeout", "3"], "--timeout is for a command; leave it out"),
        (["--from", "command:f", "--scaling", "raw"], "--scaling is for an ONNX model; leave it out"),
        (["--from", "p.pkl"], "'p.pkl' names no teacher"),
        (["--from", "nothing.npy"], "nothing.npy"),
    ],
)
def test_bad_wishes(kd: Kd, tiny: Path, options: list[str], words: str) -> None:
    outcome = kd("train-teacher", *options)
    assert outcome.code in (1, 2)
    assert words in outcome.err.replace("\n", " ")
