from pathlib import Path

import pytest
from harness import Kd

from kdcli.cli.calls import is_path, source_of
from kdcli.errors import KdError
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipes import builtin, builtin_names
from kdcli.store import NAME


def no_run(name: str) -> Recipe | None:
    return None


@pytest.mark.parametrize("source", ["a.csv", "./a", "data/a.npz", "a.tsv.gz", "../photos", "/a/b.xlsx"])
def test_what_looks_like_a_file_is_one(source: str) -> None:
    assert is_path(source)


@pytest.mark.parametrize("source", ["gaussians", "mine.toml", "outputs/tiny/recipe.toml", "mnist-few"])
def test_names_and_recipes_are_no_files_of_data(source: str) -> None:
    assert not is_path(source)


def test_a_folder_that_is_there_is_one_by_any_name() -> None:
    assert not is_path("photos")
    Path("photos").mkdir()
    assert is_path("photos")


@pytest.mark.parametrize("name", builtin_names())
def test_a_folder_that_is_called_like_a_recipe_needs_a_path(name: str) -> None:
    Path(name).mkdir()
    assert not is_path(name)
    assert is_path(f"./{name}")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("customers.csv", "customers"),
        ("my customers (new).csv", "my-customers-new"),
        ("data/prices.2024.tsv.gz", "prices.2024"),
        (".hidden.csv", "hidden"),
        ("été.csv", "t"),
        ("价格.csv", "table"),
        ("x.npz", "x"),
    ],
)
def test_a_run_is_named_after_its_file(source: str, name: str) -> None:
    path = Path(source)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    made = source_of(source, None, no_run)
    assert made.name == name
    assert NAME.fullmatch(made.name)
    assert made.settings == {"file": str(path.absolute()), "digest": ""}
    assert source_of(source, "other", no_run).name == "other"


def test_kd_run_names_the_run_unless_another_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.csv").touch()
    monkeypatch.setenv("KD_RUN", "mine")
    assert source_of("a.csv", None, no_run).name == "mine"
    assert source_of("a.csv", "other", no_run).name == "other"


def test_the_recipe_is_the_runs_own_where_its_data_are_of_that_kind() -> None:
    Path("a.csv").touch()
    own, asked = builtin("table"), []

    def run(name: str) -> Recipe | None:
        asked.append(name)
        return own

    assert source_of("a.csv", None, run).recipe is own
    assert asked == ["a"]
    assert source_of("a.csv", None, lambda name: builtin("moons")).recipe == builtin("table")
    Path("a.npz").touch()
    assert source_of("a.npz", None, run).recipe == builtin("arrays")


def test_a_folder_has_images_or_files_of_the_idx_format() -> None:
    Path("photos/cats").mkdir(parents=True)
    assert source_of("photos", None, no_run).recipe.dataset == "images"
    Path("idx").mkdir()
    Path("idx/train-images-idx3-ubyte").touch()
    made = source_of("idx", None, no_run)
    assert (made.recipe.dataset, made.files, dict(made.settings)) == ("mnist", Path("idx"), {})


@pytest.mark.parametrize("source", ["absent.csv", "absent.xlsx", "no/folder", "no/folder/"])
def test_what_is_not_there_is_said_before_all_else(source: str) -> None:
    with pytest.raises(KdError) as refused:
        source_of(source, None, no_run)
    assert str(refused.value) == f"there is no file or folder {source}"


LONG = "a" * 300  # more than a file system allows


@pytest.mark.parametrize(
    "words",
    [
        ["gen-data", LONG],
        ["gen-data", f"{LONG}.csv", "--label", "y"],
        ["run", f"{LONG}.toml"],
        ["run", f"x/{LONG}"],
        ["train-teacher", "--from", f"{LONG}.py:f", "--force"],
        ["train-teacher", "--from", f"command:./{LONG}", "--force"],
        ["distill", "--transfer", f"train+pool:{LONG}.csv"],
        ["predict", "labels-mlp4", f"{LONG}.csv", "--out", "p.csv"],
        ["export", "soft-T4-mlp4", "--out", LONG],
    ],
)
def test_a_name_too_long_for_a_file_is_refused(kd: Kd, tiny: Path, words: list[str]) -> None:
    outcome = kd(*words)
    assert outcome.code in (1, 2)
    assert "error: " in outcome.err
