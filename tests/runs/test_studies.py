import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.runs.recipe_reading import RecipeError
from kdcli.runs.recipe_text import dump
from kdcli.runs.recipes import builtin, builtin_names
from kdcli.runs.studies import (
    Study,
    data_key,
    filled,
    key_of,
    study_names,
    sweep_text,
    teacher_key,
)
from kdcli.store import Store, StudyFolder

BASED = """
base = "{base}"

[data]
n_samples = 100

[vary]
"data.seed" = [1, 2]
"""


def folder(outputs: Path, name: str = "many") -> StudyFolder:
    return StudyFolder(Store(outputs), name)


def study(outputs: Path, text: str, **options: Any) -> Study:
    """Plan the study of a sweep file with this text."""
    Path("many.toml").write_text(text)
    return Study.planned(folder(outputs), "many.toml", **options)


def based(outputs: Path, base: str) -> Study:
    return study(outputs, BASED.format(base=base))


def own(*seeds: int, teacher: str = "epochs = 3") -> str:
    """Write a sweep file without a base."""
    return (
        f'[data]\ndataset = "gaussians"\n[teacher]\n{teacher}\n[vary]\n"data.seed" = {list(seeds)}\n'
        '"students.temperatures" = [1.0]\n'
    )


def test_a_base_that_comes_with_kd(outputs: Path) -> None:
    made = based(outputs, "moons")
    (first, second) = (run.recipe for run in made.runs)
    whole = builtin("moons")
    assert first.dataset == "moons"
    assert first.data == replace(whole.data, n_samples=100, seed=1)
    assert second.data == replace(whole.data, n_samples=100, seed=2)
    assert (first.teacher, first.students) == (whole.teacher, whole.students)


@pytest.mark.parametrize("base", builtin_names())
def test_any_recipe_that_comes_with_kd_can_be_a_base(outputs: Path, base: str) -> None:
    (run,) = study(outputs, f'base = "{base}"\n[vary]\n"students.seeds" = [3]').runs
    whole = builtin(base)
    assert run.recipe == replace(whole, students=replace(whole.students, seeds=3))


def test_a_base_that_is_a_recipe_file(outputs: Path) -> None:
    given = replace(builtin("gaussians"), teacher=replace(builtin("gaussians").teacher, epochs=7))
    Path("mine.toml").write_text(dump(given))
    made = based(outputs, "mine.toml")
    assert [run.recipe.data for run in made.runs] == [
        replace(given.data, n_samples=100, seed=1),
        replace(given.data, n_samples=100, seed=2),
    ]
    assert {run.recipe.teacher for run in made.runs} == {given.teacher}


def test_a_base_that_is_a_recipe_as_kd_writes_it_can_vary_the_transfer_set(outputs: Path) -> None:
    Path("mine.toml").write_text(dump(builtin("gaussians")))
    made = study(outputs, 'base = "mine.toml"\n[vary]\n"students.transfer_size" = [30, 60]')
    assert [run.recipe.students.transfer for run in made.runs] == ["train:30", "train:60"]


def test_a_base_that_is_a_file_of_data(outputs: Path) -> None:
    Path("data.csv").write_text("x,y\n1,a\n2,b\n")
    text = 'base = "data.csv"\n[data]\nlabel = "y"\ntest = "other.csv"\n[vary]\n"teacher.seed" = [1, 2]'
    made = study(outputs, text)
    recipe = made.runs[0].recipe
    assert recipe.dataset == "table"
    assert recipe.data.file == str(Path("data.csv").absolute())
    assert recipe.data.test == str(Path("other.csv").absolute())
    assert recipe.data.label == "y"
    assert recipe.students == builtin("table").students
    made.store()
    stored = json.loads((outputs / "many/study.json").read_text())
    assert stored["tables"]["data"]["file"] == recipe.data.file


def test_no_base_is_needed(outputs: Path) -> None:
    made = study(outputs, own(1, 2))
    assert [run.name for run in made.runs] == ["seed-1", "seed-2"]
    assert made.varied == {"data.seed": [1, 2]}
    assert made.runs[0].recipe.teacher.epochs == 3


def test_keys_of_the_file_replace_those_of_the_base_and_leave_the_others() -> None:
    tables = filled({"base": "moons", "teacher": {"epochs": 1}, "vary": {"data.seed": [1]}}, "my.toml")
    assert set(tables) == {"data", "teacher", "students", "vary"}
    assert tables["teacher"]["epochs"] == 1
    assert tables["teacher"]["model"] == "mlp:128,128"
    assert tables["vary"] == {"data.seed": [1]}


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("gausians", "no base 'gausians'; did you mean gaussians?"),
        ("nowhere.csv", "no base 'nowhere.csv'"),
        ("nowhere.toml", "cannot read the sweep file nowhere.toml: No such file"),
        ("sweep.toml", "its base sweep.toml is a sweep file itself"),
        ("based.toml", "its base based.toml is a sweep file itself"),
        ("broken.toml", "broken.toml is not valid TOML"),
    ],
)
def test_a_base_that_is_none(outputs: Path, base: str, words: str) -> None:
    Path("sweep.toml").write_text(own(1))
    Path("based.toml").write_text('base = "moons"')
    Path("broken.toml").write_text("[data")
    with pytest.raises(KdError) as problem:
        based(outputs, base)
    assert words in problem.value.message
    assert not outputs.exists()


def test_a_base_that_is_no_text(outputs: Path) -> None:
    with pytest.raises(RecipeError, match="base must be a text"):
        study(outputs, "base = 3\n" + own(1))


@pytest.mark.parametrize("source", ["command:./score", "own.py:predict", "package.module:function"])
def test_a_teacher_that_is_code_is_refused(outputs: Path, source: str) -> None:
    with pytest.raises(RecipeError, match="names code") as problem:
        study(outputs, own(1, teacher=f'source = "{source}"'))
    assert source in problem.value.message
    with pytest.raises(RecipeError, match="names code"):
        study(outputs, own(1) + f'"teacher.source" = ["", "{source}"]')
    assert study(outputs, own(1, teacher='source = "answers.csv"')).runs


def test_all_problems_of_a_file_are_told_with_its_name(outputs: Path) -> None:
    with pytest.raises(RecipeError) as problem:
        study(outputs, own(-1, teacher="epochs = 0"))
    assert problem.value.message.startswith("many.toml has 2 problems:")


def test_a_file_that_is_not_there_and_a_study_that_kd_does_not_have() -> None:
    with pytest.raises(KdError, match=r"cannot read the sweep file gone\.toml"):
        sweep_text("gone.toml")
    with pytest.raises(UsageError, match="no study 'gone'"):
        sweep_text("gone")


@pytest.mark.parametrize("name", study_names())
def test_studies_that_come_with_kd_make_sense(outputs: Path, name: str) -> None:
    made = Study.planned(folder(outputs, name), name)
    assert len(made.runs) > 1


TEXTS = {
    "plain": own(1, 2),
    "sections": '[data]\ndataset = "moons"\n[[vary]]\ndata.noise = [0.1, 0.25]\n[[vary]]\nteacher.seed = [3]',
    "range": 'base = "gaussians"\n[vary]\n"teacher.learning_rate" = {from = 1e-4, to = 1, steps = 4, '
    'scale = "log"}\n"students.models" = ["mlp:4", ["tree", "mlp:8"]]',
    "texts": '[data]\ndataset = "table"\nlabel = "ε"\nfile = "é.csv"\n[vary]\n"data.decimal" = [".", ","]',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_plan_that_is_stored_is_opened_again_as_it_was(outputs: Path, text: str) -> None:
    made = study(outputs, text, reproducible="portable")
    made.store()
    opened = Study.open(made.folder)
    assert opened.runs == made.runs
    assert (opened.digest, opened.varied) == (made.digest, made.varied)
    assert opened.reproducible == "portable"
    before = (outputs / "many/study.json").read_bytes()
    opened.store()
    made.store()
    assert (outputs / "many/study.json").read_bytes() == before
    assert [path.name for path in (outputs / "many").iterdir()] == ["study.json"]


def test_a_plan_with_more_runs_takes_the_place_of_one_whose_runs_it_has(outputs: Path) -> None:
    study(outputs, own(1, 2)).store()
    larger = study(outputs, own(3, 1, 2))
    larger.store()
    assert Study.open(folder(outputs)).runs == larger.runs


@pytest.mark.parametrize(
    ("text", "reproducible"),
    [
        (own(1), "machine"),  # fewer: its name would be another, too
        (own(1, 3), "machine"),
        (own(1, 2, teacher="epochs = 4"), "machine"),
        (own(1, 2), "portable"),
        (own(1, 2, 3), "portable"),
    ],
)
def test_another_plan_is_refused_and_changes_nothing(outputs: Path, text: str, reproducible: str) -> None:
    study(outputs, own(1, 2)).store()
    Store(outputs).run("many/seed-1").path.mkdir()
    before = (outputs / "many/study.json").read_bytes()
    with pytest.raises(KdError, match=r"many in .* has another plan, to which only values") as problem:
        study(outputs, text, reproducible=reproducible).store()
    assert problem.value.hint[0] == "--study NAME makes another study; "
    assert (outputs / "many/study.json").read_bytes() == before


def test_a_plan_of_which_nothing_is_begun_may_be_replaced(outputs: Path) -> None:
    study(outputs, own(1, 2)).store()
    other = study(outputs, own(1, 3))
    other.store()
    assert Study.open(folder(outputs)).runs == other.runs


def test_what_a_sweep_left_that_was_cut_off_at_once_is_no_obstacle(outputs: Path) -> None:
    (outputs / "many").mkdir(parents=True)
    planned = study(outputs, own(1))
    planned.store()
    assert Study.open(folder(outputs)).runs == planned.runs


def test_a_folder_that_is_no_study_is_left_alone(outputs: Path) -> None:
    Store(outputs).run("many").write_recipe("mine")
    with pytest.raises(KdError, match=r"many exists and is not a study"):
        study(outputs, own(1)).store()
    assert (outputs / "many/recipe.toml").read_text() == "mine"
    assert not (outputs / "many/study.json").exists()
    with pytest.raises(UsageError, match="no study 'many'"):
        Study.open(folder(outputs))


def test_a_study_that_is_not_there(outputs: Path) -> None:
    study(outputs, own(1)).store()
    with pytest.raises(UsageError, match=r"no study 'manny'; did you mean many\?"):
        Study.open(folder(outputs, "manny"))


def edited(**changed: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda record: {**record, **changed}


@pytest.mark.parametrize(
    "damage",
    [
        edited(format=0),
        edited(format=99),
        edited(digest="0" * 64),
        edited(tables={}),
        edited(tables=[]),
        edited(tables="text"),
        edited(tables=None),
        edited(tables={"vary": 3, "data": 4}),
        lambda record: {key: record[key] for key in record if key != "tables"},
        lambda record: {key: record[key] for key in record if key != "reproducible"},
        lambda record: [record],
        lambda record: "text",
        lambda record: None,
    ],
)
def test_a_plan_that_makes_no_sense(outputs: Path, damage: Callable[[dict[str, Any]], Any]) -> None:
    study(outputs, own(1, 2)).store()
    path = outputs / "many/study.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    made_no_sense(outputs)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b"NaN"])
def test_a_plan_that_is_damaged(outputs: Path, content: bytes) -> None:
    study(outputs, own(1, 2)).store()
    (outputs / "many/study.json").write_bytes(content)
    made_no_sense(outputs)


def made_no_sense(outputs: Path) -> None:
    path = outputs / "many/study.json"
    before = path.read_bytes()
    with pytest.raises(KdError, match=r"study\.json is invalid: ") as problem:
        Study.open(folder(outputs))
    assert str(outputs / "many") in str(problem.value.hint)
    with pytest.raises(KdError, match=r"study\.json is invalid: "):
        study(outputs, own(1, 2)).store()
    assert path.read_bytes() == before


def test_nothing_is_stored_where_a_link_leads(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    outputs.mkdir()
    (outputs / "many").symlink_to(tmp_path / "outside")
    with pytest.raises(KdError):
        study(outputs, own(1)).store()
    assert not list((tmp_path / "outside").iterdir())


def test_keys_are_those_of_what_runs_share(outputs: Path) -> None:
    text = (
        'base = "gaussians"\n[vary]\n"data.seed" = [1, 2]\n"teacher.seed" = [1, 2]\n"students.seeds" = [1, 2]'
    )
    recipes = [run.recipe for run in study(outputs, text).runs]
    assert [len({key(recipe) for recipe in recipes}) for key in (data_key, teacher_key, key_of)] == [2, 4, 8]
    assert data_key(recipes[0]) == data_key(recipes[3])
    assert data_key(recipes[0]) != data_key(recipes[4])


def test_data_of_the_same_settings_and_another_dataset_have_other_keys(outputs: Path) -> None:
    text = '[data]\nn_samples = 90\n[vary]\n"data.dataset" = ["breast-cancer", "wine"]'
    with pytest.raises(RecipeError):
        study(outputs, text)
    recipes = [run.recipe for run in study(outputs, text.replace("n_samples = 90", "seed = 1")).runs]
    assert len({data_key(recipe) for recipe in recipes}) == 2
