import json
from pathlib import Path

import pytest
from harness import TINY, Kd, edit_recipe

from kdcli.runs.recipe_reading import parse
from kdcli.runs.recipes import builtin, builtin_names, load


@pytest.mark.parametrize("name", builtin_names())
def test_what_is_printed_is_read_back_as_the_same_recipe(kd: Kd, name: str) -> None:
    outcome = kd("recipe", name)
    assert outcome.code == 0
    source = {"table": "FILE --label COLUMN", "arrays": "FILE.npz", "images": "FOLDER"}.get(name, name)
    assert outcome.out.startswith(f"# kd run {source}")
    assert parse(outcome.out, name) == builtin(name)


def test_the_recipe_of_a_dataset_without_a_file_is_printed_like_any_other(
    kd: Kd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdcli.runs.recipes.BUILTIN", tmp_path)
    assert kd("recipe", "moons").out.startswith("# kd run moons\n# To change it: kd recipe moons >")


def test_without_a_name_it_is_that_of_kd_run(kd: Kd) -> None:
    assert kd("recipe").out == kd("recipe", "gaussians").out
    assert kd("recipe", "--quiet").out == ""


def test_a_file_gets_its_missing_keys_and_their_meaning(kd: Kd, tiny: Path) -> None:
    Path("mine.toml").write_text(TINY)
    out = kd("recipe", "mine.toml").out
    assert parse(out, "again") == load("mine.toml")
    assert "label_weight = 0.0" in out
    assert out == (tiny / "recipe.toml").read_text(encoding="utf-8")  # a run's own is explained as well
    edit_recipe(tiny, "seeds = 2", "seeds = 3")
    assert "seeds = 3" in kd("recipe", str(tiny / "recipe.toml")).out


def test_a_recipe_that_is_printed_can_be_run(kd: Kd, outputs: Path) -> None:
    text = kd("recipe", "gaussians").out
    for long, short in (("epochs = 500", "epochs = 2"), ("epochs = 3000", "epochs = 2"), ("20000", "200")):
        assert f"\n{long}" in text or short == "200"
        text = text.replace(long, short)
    Path("mine.toml").write_bytes(text.encode())
    assert kd("run", "mine.toml").code == 0
    assert (outputs / "mine/compare.json").is_file()


def test_the_document_and_bad_names(kd: Kd) -> None:
    document = json.loads(kd("recipe", "mnist", "--json").out)
    assert list(document) == ["name", "data", "teacher", "students"]
    assert document["data"] == {"dataset": "mnist", "n_val": 10000, "draws": 1, "seed": 0}
    outcome = kd("recipe", "gausians")
    assert outcome.code == 2
    assert "did you mean gaussians?" in outcome.err
    assert kd("recipe", "absent.toml").code == 1
