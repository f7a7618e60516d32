import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli.data import DATASETS
from kdcli.errors import KdError, UsageError
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import (
    Recipe,
    RecipeError,
    Students,
    Teacher,
    builtin,
    builtin_names,
    dump,
    load,
    parse,
)
from kdcli.settings import rules
from kdcli.store import Store


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_read_back_as_written(name: str) -> None:
    recipe = builtin(name)
    assert parse(dump(recipe), "again") == recipe


@pytest.mark.parametrize("name", builtin_names())
def test_every_key_of_a_recipe_is_explained(name: str) -> None:
    recipe = builtin(name)
    lines = dump(recipe).splitlines()
    assert max(map(len, lines)) <= 110
    section, comment = "", []
    explained: dict[str, list[str]] = {"data": [], "teacher": [], "students": []}
    for line in lines:
        if head := re.match(r"\[(\w+)\]  # \w", line):
            section, comment = head[1], []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# ").strip())
        elif key := re.match(r"(\w+) = ", line):
            explained[section].append(key[1])
            config = getattr(recipe, section)
            words = " ".join(comment)
            comment = []
            if key[1] == "dataset":
                assert all(dataset in words for dataset in DATASETS)
                continue
            rule = rules(type(config))[key[1]]
            assert words.startswith(rule.help)
            assert rule.values in words
            assert rule.allowed in words
            (default,) = (field.default for field in fields(config) if field.name == key[1])
            told = re.search(r"default: (.*)$", words)
            assert told
            assert json.loads(told[1]) == (list(default) if isinstance(default, tuple) else default)
    assert explained == {
        "data": ["dataset", *rules(type(recipe.data))],
        "teacher": list(rules(Teacher)),
        "students": list(rules(Students)),
    }


def test_values_that_toml_has_to_escape_or_to_wrap_are_read_back() -> None:
    models = tuple(f"tree:max_leaf_nodes={n}" for n in range(2, 30))
    recipe = replace(builtin("moons"), students=Students(models=models, learning_rate=1e-300))
    assert parse(dump(recipe), "again") == recipe


def edited(content: bytes) -> list[bytes]:
    lines = content.decode().splitlines()
    ends = [b"\n", b"\r\n", b"\r"]
    return [
        mark + end.join(line.encode() for line in lines) for mark in (b"", b"\xef\xbb\xbf") for end in ends
    ]


@pytest.mark.parametrize("content", edited(TINY.encode() + "# ε\n".encode()))
def test_any_line_ends_and_a_byte_order_mark_are_read(kd: Kd, outputs: Path, content: bytes) -> None:
    expected = parse(TINY, "tiny.toml")
    Path("mine.toml").write_bytes(content)
    assert load("mine.toml") == expected
    run = Store(outputs).run("mine")
    run.write_recipe("")
    run.recipe_path.write_bytes(content)
    assert Experiment.open(run).recipe == expected


def test_a_recipe_of_an_older_kd_is_read_below_its_digest(kd: Kd, tiny: Path) -> None:
    path = tiny / "recipe.toml"
    first = f"# SHA-256 of the lines below: {64 * '0'}; remove this line to edit them\n"
    path.write_text(first + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert "up to date" in kd("train-teacher").out
    assert kd("check").code == 0


def test_every_dataset_has_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(DATASETS) <= set(builtin_names())
    monkeypatch.setattr("kdcli.runs.recipe.BUILTIN", tmp_path)  # without a file, that of the defaults
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
        "students.label_weight: must be at least 0 and at most 1, not 2",
        "students.temperatures: must be at least 0.01 and at most 1000, not 0",
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
    with pytest.raises(RecipeError, match="it is not UTF-8 text, but UTF-16"):
        load(str(file))
    file.write_bytes(b"\xff\x00")
    with pytest.raises(RecipeError, match=r"it is not UTF-8 text$"):
        load(str(file))
