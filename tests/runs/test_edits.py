import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import TINY, Kd, compared, edit_recipe

from kdcli.runs.edits import differences
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_text import dump
from kdcli.store import Store

NAMES = ["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"]


def shown(kd: Kd, command: str = "show") -> dict[str, list[str]]:
    """Return what differs from the recipe, by artefact."""
    document = json.loads(kd(command, "tiny", "--json").out)
    artefacts = document["artefacts"] if command == "show" else document["runs"][0]["artefacts"]
    assert {item["state"] for item in artefacts} == {"fresh"}
    return {item["name"]: item["differences"] for item in artefacts if item["differences"]}


def test_what_is_as_the_recipe_says_is_not_told_of(kd: Kd, tiny: Path) -> None:
    assert shown(kd) == shown(kd, "check") == {}
    assert "differs" not in kd("show").out + kd("check").out
    assert kd("distill").err == kd("plot", "differences").err == "working on run tiny, the current one\n"


def test_data_of_other_settings_are_told_and_stop_what_trains_on_them(kd: Kd, tiny: Path) -> None:
    before = {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}
    edit_recipe(tiny, "n_samples = 200", "n_samples = 400")
    recipe = tiny / "recipe.toml"
    told = "n_samples = 200, but the recipe says 400"
    for command in (
        ["train-teacher"],
        ["distill"],
        ["train-teacher", "--force"],
        ["distill", "--seeds", "3"],
    ):
        outcome = kd(*command)
        assert outcome.code == 1
        assert f"the data of run tiny were made with {told}" in outcome.err
        assert "`kd gen-data --run tiny --force`" in outcome.err
    outcome = kd("gen-data", "--run", "tiny")
    assert outcome.code == 1
    assert "n_samples = 200, not 400 as recipe.toml says" in outcome.err
    assert f"--force replaces it; `kd gen-data --recipe {recipe} --run NAME` keeps both" in outcome.err
    assert {path: path.read_bytes() for path in before if path != recipe} == {
        path: content for path, content in before.items() if path != recipe
    }
    expected = {
        "data": [told],
        "teacher": ["made from data, which differs from the recipe"],
        "students/labels-mlp4": ["made from data, which differs from the recipe"],
        "students/soft-T4-mlp4": ["made from data and teacher, which differ from the recipe"],
    }
    assert shown(kd) == shown(kd, "check") == expected
    assert kd("check").code == 0  # nothing is damaged
    for command in ("show", "check"):
        assert "data differs from the recipe" in kd(command).out
        assert "differs" in next(line for line in kd(command).out.splitlines() if "teacher" in line)
    warnings = compared(kd)["warnings"]
    renewed = "would make it again from the recipe"
    assert f"data: made with {told}; `kd gen-data --run tiny --force` {renewed}." in warnings
    assert f"data: made with {told}" in kd("plot", "learning-curves").err
    # The commands in the hint repair it.
    for command in ("gen-data --run tiny --force", "train-teacher --force", "distill --force"):
        assert kd(*shlex.split(command)).code == 0
    assert shown(kd) == {}


def test_a_run_beside_keeps_both(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, "n_samples = 200", "n_samples = 400")
    (command,) = re.findall(r"`kd (gen-data --recipe .*?)` makes another run", kd("train-teacher").err)
    assert kd(*shlex.split(command.replace("NAME", "beside"))).code == 0
    assert Experiment.open(Store(tiny.parent).run("beside")).recipe.data.n_samples == 400
    edit_recipe(tiny, "n_samples = 400", "n_samples = 200")
    assert kd("distill", "--run", "tiny").out.count("up to date") == 2


def test_another_dataset_in_the_recipe(kd: Kd, tiny: Path) -> None:
    text = (tiny / "recipe.toml").read_text(encoding="utf-8")
    (tiny / "recipe.toml").write_text(TINY.replace("gaussians", "moons"))
    assert shown(kd)["data"] == ['dataset = "gaussians", but the recipe says "moons"']
    outcome = kd("distill")
    assert outcome.code == 1
    assert 'were made with dataset = "gaussians", but the recipe says "moons"' in outcome.err
    (tiny / "recipe.toml").write_text(text, encoding="utf-8")
    assert kd("distill").code == 0


def test_another_teacher_in_the_recipe(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, 'model = "mlp:8"\n', 'model = "mlp:9"\n')
    told = 'model = "mlp:8", but the recipe says "mlp:9"'
    assert 'was made with model = "mlp:8", not "mlp:9" as recipe.toml says' in kd("train-teacher").err
    made_from = ["made from teacher, which differs from the recipe"]
    assert shown(kd) == {"teacher": [told], "students/soft-T4-mlp4": made_from}
    outcome = kd("distill")  # a flag may have made it: there is a note, and the teacher is used unchanged
    assert outcome.code == 0
    renewed = "would make it again from the recipe"
    assert f"teacher: made with {told}; `kd train-teacher --force` {renewed}" in outcome.err
    assert kd("train-teacher", "--force").code == 0
    assert [item["state"] for item in json.loads(kd("show", "--json").out)["artefacts"]][3] == "stale"


def test_a_teacher_trained_by_a_flag_is_told_of_as_such(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "7", "--schedule", "linear", "--force")
    kd("distill", "--force")
    told = ["epochs = 7, but the recipe says 20", 'schedule = "linear", but the recipe says "constant"']
    assert shown(kd)["teacher"] == told
    edit_recipe(tiny, 'device = "auto"', 'device = "cpu"')  # which was used by itself
    edit_recipe(tiny, 'precision = "auto"', 'precision = "float32"')
    assert shown(kd)["teacher"] == told
    edit_recipe(tiny, 'precision = "float32"', 'precision = "bfloat16"')
    assert shown(kd)["teacher"][1] == 'precision = "auto", but the recipe says "bfloat16"'


def test_settings_that_one_of_two_models_does_not_take_are_no_difference(kd: Kd, tiny: Path) -> None:
    assert kd("train-teacher", "--model", "tree", "--force").code == 0
    experiment = Experiment.open(Store(tiny.parent).run("tiny"))
    (difference,) = differences(experiment.teacher)
    assert str(difference) == 'model = "tree", but the recipe says "mlp:8"'


def test_students_of_other_settings(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "hard", "--epochs", "5")  # none of the recipe's
    kd("distill", "--seeds", "3")  # more than the recipe asks for
    assert shown(kd) == {}
    recipe = tiny / "recipe.toml"
    recipe.write_text(TINY.replace("seeds = 2\nepochs = 20", "seeds = 4\nepochs = 5"))
    told = "epochs = 20, but the recipe says 5"
    few = "number of seeds = 3, but the recipe says 4"
    assert shown(kd) == {"students/labels-mlp4": [told, few], "students/soft-T4-mlp4": [told, few]}
    warnings = [text for text in compared(kd)["warnings"] if "but the recipe says" in text]
    assert warnings == [
        f"students/labels-mlp4, students/soft-T4-mlp4: made with {told}; {few}; "
        "`kd distill --force` would make it again from the recipe."
    ]
    outcome = kd("distill")
    assert outcome.code == 1
    assert "epochs = 20, not 5 as recipe.toml says" in outcome.err
    assert "epochs = 20, not 5\n" in kd("distill", "--epochs", "5").err  # by a flag
    recipe.write_text(TINY.replace("seeds = 2", "seeds = 4"))
    assert shown(kd) == {"students/labels-mlp4": [few], "students/soft-T4-mlp4": [few]}
    assert "to follow the recipe: `kd distill`\n" in kd("show").out
    assert kd("distill").code == 0
    assert shown(kd) == {}


def test_a_recipe_given_to_a_stage_is_not_that_of_the_run(kd: Kd, tiny: Path) -> None:
    Path("more.toml").write_text(TINY.replace("seeds = 2\nepochs = 20", "seeds = 2\nepochs = 5"))
    assert "epochs = 20, not 5\n" in kd("distill", "--recipe", "more.toml").err
    Path("tiny.toml").write_text(TINY.replace("n_samples = 200", "n_samples = 100"))
    assert "n_samples = 200, not 100\n" in kd("run", "tiny.toml").err


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_the_recipe_is_compared(tiny: Path, name: str) -> None:
    experiment = Experiment.open(Store(tiny.parent).existing_run(None))
    recipe = experiment.recipe

    def compared(other: Recipe) -> list[Any]:
        experiment.adopt(dump(other))
        return differences(experiment.fresh(name))

    assert compared(recipe) == []
    part = name if name in ("data", "teacher") else "students"
    keys: dict[str, Any] = {
        "data": {
            "draws": 2,
            "separation": 3.0,
            "seed": 4,
            "n_test": 10,
            "val_fraction": 0.5,
            "n_samples": 10,
        },
        "teacher": {"epochs": 1, "schedule": "linear", "seed": 3, "model": "mlp:2", "learning_rate": 1.0},
        "students": {"epochs": 1, "batch_size": 3, "learning_rate": 1.0},
    }[part]
    for key, value in keys.items():
        config = replace(getattr(recipe, part), **{key: value})
        (difference,) = compared(replace(recipe, **{part: config}))
        assert (difference.key, difference.recipe) == (key, value)
    others = replace(recipe, students=replace(recipe.students, models=("tree",)))
    assert part != "students" or compared(others) == []


def test_a_recipe_that_cannot_be_read_hides_nothing_else(kd: Kd, tiny: Path) -> None:
    (tiny / "recipe.toml").write_text("[data")
    artefacts = json.loads(kd("show", "--json").out)["artefacts"]
    assert [(item["name"], item["differences"]) for item in artefacts] == [
        (name, []) for name in ["recipe.toml", *NAMES]
    ]


def test_more_seeds_than_can_be_listed(kd: Kd, tiny: Path) -> None:
    edit_recipe(tiny, "seeds = 2", f"seeds = {10**15}")
    assert shown(kd)["students/soft-T4-mlp4"] == [f"number of seeds = 2, but the recipe says {10**15}"]
    assert kd("compare").code == 0


def test_the_control_that_is_lacking_seeds_is_given_them(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "hard", "--seeds", "4")
    (why,) = re.findall(r"`kd (distill --target labels[^`]*)`", " ".join(kd("compare").out.split()))
    assert why == "distill --target labels --seeds 4"
    assert kd(*shlex.split(why)).code == 0
    sets = {item["name"]: item["versus"] for item in compared(kd)["students"]}
    assert sets["hard-mlp4"]["control"] == "labels-mlp4"
