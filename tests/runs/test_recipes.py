from pathlib import Path

import pytest

from kdcli.data import DATASETS
from kdcli.errors import KdError, UsageError
from kdcli.runs.recipe import Recipe, Students, Teacher
from kdcli.runs.recipe_reading import RecipeError
from kdcli.runs.recipes import builtin, builtin_names, load


def test_every_dataset_has_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(DATASETS) <= set(builtin_names())
    monkeypatch.setattr("kdcli.runs.recipes.BUILTIN", tmp_path)  # without a file, that of the defaults
    for name, dataset in DATASETS.items():
        assert builtin(name) == Recipe(name, dataset.config(), Teacher(), Students())


def test_the_gaussian_experiment() -> None:
    recipe = builtin("gaussians")
    assert (recipe.teacher.model, recipe.teacher.epochs) == ("mlp:64,64", 500)
    assert (recipe.students.models, recipe.students.epochs, recipe.students.seeds) == (("mlp:4",), 3000, 2)
    assert recipe.students.temperatures == (4.0,)


def test_the_moons_experiment() -> None:
    recipe = builtin("moons")
    assert (recipe.data.n_samples, recipe.data.noise, recipe.data.val_fraction) == (3000, 0.3, 0.2)
    assert (recipe.teacher.model, recipe.teacher.epochs, recipe.teacher.batch_size) == (
        "mlp:128,128",
        100,
        100,
    )
    assert recipe.students.models[0] == "tree"
    assert {"labels", "hard", "soft"} <= set(recipe.students.targets)


@pytest.mark.parametrize("name", builtin_names())
def test_the_data_are_drawn_again_or_where_that_is_costly_the_students_alone_are_repeated(name: str) -> None:
    recipe = builtin(name)
    own = {"table": (0, 5), "arrays": (0, 5), "images": (0, 5)}  # 0: the number of rows decides
    expected = {"mnist": (1, 10), **own}.get(recipe.dataset, (10, 2))
    assert (recipe.data.draws, recipe.students.seeds) == expected


def test_load_a_file_or_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[data]\ndataset = "gaussians"\n')
    assert load(str(file)).dataset == "gaussians"
    with pytest.raises(UsageError, match=r"no recipe 'gausians'; did you mean gaussians\?"):
        load("gausians")
    with pytest.raises(KdError, match="cannot read the recipe"):
        load(str(tmp_path / "absent.toml"))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="it is not UTF-8 text, but UTF-16"):
        load(str(file))
    file.write_bytes(b"\xff\x00")
    with pytest.raises(RecipeError, match=r"it is not UTF-8 text$"):
        load(str(file))
