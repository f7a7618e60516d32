from pathlib import Path

import pytest

from kdcli.data import DATASETS
from kdcli.errors import KdError, UsageError
from kdcli.recipe import RecipeError, builtin, builtin_names, dump, load, parse


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_read_back_as_written(name: str) -> None:
    recipe = builtin(name)
    assert parse(dump(recipe), "again") == recipe


def test_every_dataset_has_a_recipe() -> None:
    assert set(DATASETS) <= set(builtin_names())


def test_the_gaussian_experiment() -> None:
    recipe = builtin("gaussians")
    assert (recipe.teacher.model, recipe.teacher.epochs) == ("mlp:64,64", 500)
    assert (recipe.students.models, recipe.students.epochs, recipe.students.seeds) == (("mlp:4",), 3000, 10)
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


def test_a_recipe_from_before_there_were_several_models() -> None:
    text = '[data]\ndataset = "gaussians"\n[students]\nmodel = "mlp:7"\n'
    assert parse(text, "old.toml").students.models == ("mlp:7",)


def test_all_problems_come_in_one_message() -> None:
    text = """
    [data]
    dataset = "gaussians"
    n_samples = -5
    [teacher]
    model = "mlp:"
    epoch = 3
    [students]
    targets = ["labels", "sfot"]
    models = ["mlp:4", "tree:max_depth=0"]
    label_weight = 2.0
    temperatures = [0.0]
    [extra]
    """
    with pytest.raises(RecipeError) as problem:
        parse(text, "my.toml")
    message = problem.value.message
    for part in (
        "my.toml has 8 problems",
        "extra: no such section",
        "data.n_samples: must be at least 4, not -5",
        "teacher.model: model 'mlp:': a width must be",
        "teacher.epoch: no such key; did you mean epochs?",
        "students.targets: no target 'sfot'; did you mean soft?",
        "students.models: model 'tree:max_depth=0': max_depth must be",
        "students.label_weight: must be at least 0 and at most 1, not 2.0",
        "students.temperatures: must be at least 0.01 and at most 1000, not 0.0",
    ):
        assert part in message


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(RecipeError, match=r"my.toml is not valid TOML: .*line 2"):
        parse("[data]\ndataset = \n", "my.toml")


@pytest.mark.parametrize("text", ["", "data = 3", "[data]\ndataset = 3", '[data]\ndataset = "gausians"'])
def test_no_known_dataset(text: str) -> None:
    with pytest.raises(RecipeError, match=r"data.dataset: .*datasets: gaussians"):
        parse(text, "my.toml")


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_of_thousands_of_digits_is_a_problem_like_any_other(digits: str) -> None:
    for place in ("[data]\ndataset = {}", '[data]\ndataset = "gaussians"\nn_samples = {}'):
        with pytest.raises(RecipeError, match=r"my\.toml") as problem:
            parse(place.format(digits), "my.toml")
        assert len(problem.value.message) < 400


def test_load_a_file_or_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[data]\ndataset = "gaussians"\n')
    assert load(str(file)).dataset == "gaussians"
    with pytest.raises(UsageError, match=r"no recipe 'gausians'; did you mean gaussians\?"):
        load("gausians")
    with pytest.raises(KdError, match="cannot read the recipe"):
        load(str(tmp_path / "absent.toml"))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="not UTF-8"):
        load(str(file))
