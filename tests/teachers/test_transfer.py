import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from customers import customers
from harness import Kd, edit_recipe, opened
from PIL import Image
from torch import Tensor

import kdcli
from kdcli.errors import Command
from kdcli.runs.student_sets import Students, StudentSet, student_sets
from kdcli.runs.transfer import Transfer
from kdcli.teachers.transfer import made_examples
from kdcli.training.material import Material


def material(run: Path, text: str, labels_from: str = "target") -> Material:
    """Return the material of students of a transfer set, with its examples."""
    experiment, transfer = opened(run), Transfer.parse(text)
    plain = Material(experiment, experiment.teacher, transfer, labels_from=labels_from)
    again, made = Command("distill"), lambda *_: pytest.fail("made anew")
    stored = made_examples(experiment, transfer, plain.rows, force=False, again=again, watch=made)
    return Material(experiment, experiment.teacher, transfer, labels_from=labels_from, stored=stored)


def sets(*targets: str) -> list[StudentSet]:
    return student_sets(Students(targets=targets, temperatures=(2.0,)))


def answers(run: Path, x: Tensor, draw: int = 0) -> np.ndarray:
    return kdcli.open_run(run.name).teacher_of(draw).predict_proba(x.numpy())


def distil(kd: Kd, text: str, *more: str) -> None:
    outcome = kd("distill", "--transfer", text, "--epochs", "2", *more)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("fixture", ["tiny", "two_draws"])
def test_new_rows_are_made_once_labelled_by_the_teacher_of_their_draw_and_shared(
    kd: Kd, request: pytest.FixtureRequest, fixture: str
) -> None:
    run: Path = request.getfixturevalue(fixture)
    distil(kd, "train:40+munge:3")
    before = (run / "transfer/n40-munge3/meta.json").read_bytes()
    assert kd("distill", "--transfer", "train:40+munge:3", "--model", "tree").code == 0
    assert (run / "transfer/n40-munge3/meta.json").read_bytes() == before
    made = material(run, "train:40+munge:3")
    data = made.data
    assert made.index["train"].shape == (data.draws, 160)
    labels, soft = (made.target(student_set, "train") for student_set in sets("labels", "soft"))
    for draw in range(data.draws):
        rows = made.index["train"][draw]
        own, new = rows[:40], rows[40:]
        assert set(own.tolist()) <= set(data.pool.rows("train", draw).tolist())
        assert int(new.min()) >= len(data.pool.y)
        p = torch.from_numpy(answers(run, made.x[new], draw))
        assert torch.equal(labels[draw, :40].argmax(1), data.pool.y[own])
        assert torch.equal(labels[draw, 40:].argmax(1), p.argmax(1))
        softened = (p.log() / 2).softmax(1)
        torch.testing.assert_close(soft[draw, 40:], softened, rtol=1e-5, atol=1e-6)
    assert len(torch.unique(made.x[made.index["train"][:, 40:]].flatten(0, 1), dim=0)) > 100


def test_copies_are_the_same_rows_again_with_their_own_labels(kd: Kd, tiny: Path) -> None:
    distil(kd, "train:40+duplicate:3")
    assert not (tiny / "transfer").exists()
    made = material(tiny, "train:40+duplicate:3")
    rows = made.index["train"][0].view(4, 40)
    assert all(torch.equal(rows[0], again) for again in rows[1:])
    for student_set in sets("labels", "soft", "bayes-soft"):
        target = made.target(student_set, "train")[0].view(4, 40, 2)
        assert all(torch.equal(target[0], again) for again in target[1:])


def test_the_rest_are_the_other_training_rows_whose_labels_are_not_looked_at(kd: Kd, two_draws: Path) -> None:
    distil(kd, "train:40+rest")
    made = material(two_draws, "train:40+rest")
    (labels,) = (made.target(student_set, "train") for student_set in sets("labels"))
    for draw in range(2):
        rows = made.index["train"][draw]
        assert sorted(rows.tolist()) == sorted(made.data.pool.rows("train", draw).tolist())
        places = [made.data.pool.rows("train", draw).tolist().index(row) for row in rows[40:].tolist()]
        named = opened(two_draws).teacher.logits["train"][draw, places].argmax(1)
        assert torch.equal(labels[draw, 40:].argmax(1), named)


def test_labels_of_training_rows_are_the_teachers_or_the_original_ones_where_that_is_asked(
    kd: Kd, tiny: Path
) -> None:
    labels, soft, hard = sets("labels", "soft", "hard")
    plain, theirs, original = (material(tiny, "train", way) for way in ("target", "teacher", "original"))
    assert torch.equal(theirs.target(labels, "train"), plain.target(hard, "train"))
    assert torch.equal(original.target(soft, "train"), plain.target(labels, "train"))
    for made in (theirs, original):
        assert torch.equal(made.target(labels, "val"), plain.target(labels, "val"))
        assert torch.equal(made.target(soft, "val"), plain.target(soft, "val"))
    distil(kd, "train", "--labels-from", "teacher", "--target", "labels", "--force")
    assert (tiny / "students/labels-from-teacher-mlp4/meta.json").is_file()


def table(kd: Kd, rows: int = 200) -> pl.DataFrame:
    file = customers(rows=rows)
    assert kd("gen-data", file, "--label", "left", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "mlp:8", "--epochs", "30").code == 0
    return pl.read_csv(file)


SMALL = ("--model", "mlp:4", "--target", "labels,soft", "--seeds", "2")


def test_new_rows_of_a_table_have_its_categories_and_whole_numbers(kd: Kd, outputs: Path) -> None:
    table(kd)
    distil(kd, "train+munge:2", *SMALL)
    made, data = material(outputs / "customers", "train+munge:2"), opened(outputs / "customers").data
    names = data.description.feature_names
    new = made.x[len(data.pool.y) :]
    assert len(new) == 2 * data.pool.index["train"].shape[1]
    plans = [k for k, name in enumerate(names) if name.startswith("plan = ")]
    assert set(new[:, plans].sum(1).tolist()) == {1.0}
    assert set(new[:, names.index("active")].tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_pool_is_rows_without_labels_in_any_order_of_columns(kd: Kd, outputs: Path, suffix: str) -> None:
    rows = table(kd)
    others = pl.read_csv(customers("others.csv", rows=50, seed=9)).drop("left")
    frame = others.select(reversed(others.columns))
    frame.write_csv("pool.csv") if suffix == "csv" else frame.write_parquet("pool.parquet")
    distil(kd, f"train:60+pool:pool.{suffix}", *SMALL)
    made = material(outputs / "customers", f"train:60+pool:{Path(f'pool.{suffix}').absolute()}")
    data = made.data
    pool = made.x[len(data.pool.y) :]
    assert len(pool) == 50
    age = data.description.feature_names.index("age")
    np.testing.assert_allclose(pool[:, age].numpy(), others["age"].to_numpy(), rtol=1e-6)
    assert rows.height == len(data.pool.y)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop("age"), "no column 'age' in pool.csv"),
        (lambda frame: frame.with_columns(left=pl.lit("yes")), "has the column of labels, 'left'"),
        (lambda frame: frame.with_columns(age=pl.lit("old")), "pool.csv, line 2: column 'age' has 'old'"),
    ],
)
def test_a_pool_of_other_rows_is_refused(kd: Kd, outputs: Path, change: object, words: str) -> None:
    table(kd)
    others = pl.read_csv(customers("others.csv", rows=50, seed=9)).drop("left")
    change(others).write_csv("pool.csv")  # type: ignore[operator]
    outcome = kd("distill", "--transfer", "train+pool:pool.csv", *SMALL)
    assert outcome.code == 1
    assert words in outcome.err
    assert not (outputs / "customers/transfer").exists()


def test_a_pool_that_changed_is_labelled_anew_and_students_taught_before_are_stale(
    kd: Kd, outputs: Path
) -> None:
    table(kd)
    others = pl.read_csv(customers("others.csv", rows=50, seed=9)).drop("left")
    others.write_csv("pool.csv")
    distil(kd, "train+pool:pool.csv", *SMALL)
    others.head(30).write_csv("pool.csv")
    outcome = kd("distill", "--transfer", "train+pool:pool.csv", *SMALL, "--epochs", "2")
    assert outcome.code == 1
    assert "was made from a file that has changed since" in outcome.err
    others.write_csv("pool.csv")
    Path("pool.csv").rename("gone.csv")
    assert kd("distill", "--transfer", "train+pool:pool.csv", *SMALL, "--epochs", "2").code == 0
    others.head(30).write_csv("pool.csv")
    assert kd("distill", "--transfer", "train+pool:pool.csv", *SMALL, "--epochs", "2", "--force").code == 0


def test_a_teacher_of_which_only_answers_are_known_labels_nothing_new(kd: Kd, tiny: Path) -> None:
    x = opened(tiny).data.pool.x
    np.save("p.npy", answers(tiny, x))
    assert kd("train-teacher", "--from", "p.npy", "--force").code == 0
    outcome = kd("distill", "--transfer", "train+munge:2", "--force")
    assert outcome.code == 1
    assert "has predictions only for the examples of the run" in outcome.err
    distil(kd, "train:40+rest", "--force")


def test_a_teacher_that_is_code_is_asked_only_where_the_command_names_it(kd: Kd, tiny: Path) -> None:
    Path("asked.py").write_text(
        "import numpy as np\n\ndef predict(rows):\n    return 1 / (1 + np.exp(-4 * rows['x₁'].to_numpy()))\n"
    )
    assert kd("train-teacher", "--from", "asked.py:predict", "--force").code == 0
    outcome = kd("distill", "--transfer", "train+munge:2", "--force")
    assert outcome.code == 1
    where = Path("asked.py").absolute()
    assert f"kd distill --transfer train+munge:2 --from {where}:predict" in outcome.err
    other = kd("distill", "--transfer", "train+munge:2", "--force", "--from", "other.py:predict")
    assert other.code == 1
    assert "which runs only if the command names it" in other.err
    distil(kd, "train+munge:2", "--from", "asked.py:predict", "--force")
    made = material(tiny, "train+munge:2")
    x = made.x[len(made.data.pool.y) :]
    (further,) = made.further
    expected = torch.sigmoid(4 * x[:, 0].double())
    torch.testing.assert_close(further.logits[0].softmax(1)[:, 1], expected, rtol=1e-4, atol=1e-6)


def test_a_pool_of_images_is_a_folder_of_them_in_any_folders(kd: Kd, outputs: Path) -> None:
    def images(folder: str, count: int, size: int = 6) -> None:
        Path(folder).mkdir(parents=True)
        for k in range(count):
            pixels = np.random.default_rng(k).integers(0, 256, (size, size), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder) / f"{k}.png")

    images("photos/a", 20)
    images("photos/b", 20)
    images("pool/x/y", 7)
    images("large", 2, size=8)
    assert kd("gen-data", "photos", "--draws", "1").code == 0
    assert kd("train-teacher", "--model", "mlp:4", "--epochs", "2").code == 0
    distil(kd, "train+pool:pool", "--model", "mlp:4", "--target", "soft", "--seeds", "1")
    made = material(outputs / "photos", f"train+pool:{Path('pool').absolute()}")
    assert made.x.shape == (47, 6, 6)
    outcome = kd("distill", "--transfer", "train+pool:large", "--model", "mlp:4", "--target", "soft")
    assert outcome.code == 1
    assert "have the shape (8, 8), but those of the data (6, 6)" in outcome.err
    outcome = kd("distill", "--transfer", "train+pool:nowhere", "--model", "mlp:4", "--target", "soft")
    assert outcome.code == 1
    assert "nowhere" in outcome.err


def test_images_have_no_new_rows(kd: Kd, outputs: Path) -> None:
    assert kd("gen-data", "digits").code == 0
    assert kd("train-teacher", "--epochs", "1").code == 0
    outcome = kd("distill", "--transfer", "train+munge:1", "--epochs", "1", "--seeds", "1")
    assert outcome.code == 2
    assert "munge makes rows of tables" in outcome.err


def test_the_comparison_with_copies_tells_what_new_rows_bring(kd: Kd, tiny: Path) -> None:
    for text in ("train:40+duplicate:2", "train:40+munge:2"):
        distil(kd, text)
    told = kd("compare", "--control", "soft-T4-n40-duplicate2-mlp4", "--json")
    found = {s["name"]: s["versus"] for s in json.loads(told.out)["students"]}
    assert found["soft-T4-n40-munge2-mlp4"]["control"] == "soft-T4-n40-duplicate2-mlp4"
    plain = {s["name"]: s["versus"] for s in json.loads(kd("compare", "--json").out)["students"]}
    assert plain["soft-T4-n40-munge2-mlp4"]["control"] == "labels-n40-munge2-mlp4"


def test_a_run_shows_and_checks_the_examples_that_it_holds(kd: Kd, tiny: Path) -> None:
    distil(kd, "train:40+munge:2")
    shown = kd("show").out
    assert "transfer/n40-munge2" in shown
    assert "n = 40 + munge:2" in shown
    kd("train-teacher", "--epochs", "3", "--force")
    assert kd("show", "--json").out.count('"state": "stale"') >= 3
    edit_recipe(tiny, 'transfer = "train"', 'transfer = "train:40+munge:2"')
    again = kd("distill", "--force")
    assert again.code == 0, again.err
    states: Sequence[str] = kd("check").out.split("\n")
    assert any("intact" in line or "fresh" in line for line in states)


def test_a_size_in_a_recipe_of_before_is_a_transfer_set(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, 'transfer = "train"', "transfer_size = 40")
    assert opened(tiny).recipe.students.transfer == "train:40"
