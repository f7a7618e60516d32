from pathlib import Path

import pytest
from harness import TINY, Kd

from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe_reading import RecipeError, parse
from kdcli.runs.recipes import load
from kdcli.store import Store


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
    temperatures = [0.0, "auto"]
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
