import json
import shlex
from pathlib import Path

import pytest
from customers import customers
from harness import TINY, Kd, opened, small_mnist, write_files

from kdcli.commands import spell
from kdcli.figures import FIGURES
from kdcli.runs.recipes import builtin
from kdcli.stages.run import WholeRun

OWN = ("run", "customers.csv", "--label", "left", "--draws", "2", "--seeds", "2")


def tensors(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}


def test_the_single_commands_make_the_same_bits(kd: Kd, tiny_run: Path, outputs: Path) -> None:
    Path("tiny.toml").write_text(TINY)
    outcome = kd("run", "tiny.toml", "--run", "whole", "--json")
    commands = json.loads(outcome.out)["commands"]
    assert commands[1:] == ["kd train-teacher", "kd distill", "kd plot", "kd compare"]
    whole = tensors(outputs / "whole")
    (outputs / "whole").rename(outputs / "moved")
    for command in commands:
        assert kd(*shlex.split(command)[1:]).code == 0
    assert tensors(outputs / "whole") == whole
    assert tensors(outputs / "whole") == tensors(tiny_run / "tiny")


@pytest.mark.parametrize("source", ["tiny.toml", "gaussians"])
def test_the_commands_of_other_draws_and_seeds_make_the_same_bits(
    kd: Kd, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    Path("tiny.toml").write_text(TINY)
    if source == "gaussians":
        Path("builtin").mkdir()
        Path("builtin/gaussians.toml").write_text(TINY)
        monkeypatch.setattr("kdcli.runs.recipes.BUILTIN", tmp_path / "builtin")
    document = json.loads(kd("run", source, "--draws", "2", "--seeds", "3", "--json").out)
    assert document["draws"] == 2
    for student_set in document["students"]:
        assert [len(of_draw) for of_draw in student_set["metrics"]["nll"]["per_seed"]] == [3, 3]
    made_by = f"kd gen-data {'gaussians' if source == 'gaussians' else '--recipe tiny.toml'} --draws 2"
    name = Path(source).stem
    first, *others = document["commands"]
    assert first == made_by + ("" if source == "gaussians" else " --run tiny")
    assert others == ["kd train-teacher", "kd distill --seeds 3", "kd plot", "kd compare"]
    whole = tensors(outputs / name)
    (outputs / name).rename(outputs / "moved")
    for command in (first, *others):
        assert kd(*shlex.split(command)[1:]).code == 0
    assert tensors(outputs / name) == whole


def test_more_seeds_of_the_same_draws_are_added_to_those_that_are_there(kd: Kd) -> None:
    Path("tiny.toml").write_text(TINY)
    asked = ("run", "tiny.toml", "--draws", "2", "--seeds")
    assert kd(*asked, "1").code == 0
    more = kd(*asked, "3")
    assert more.code == 0
    assert "run tiny: 8 students of mlp:4" in more.out  # two more of two sets in two draws
    assert more.out.count("up to date") == 2
    fewer = kd("run", "tiny.toml", "--draws", "2")
    assert "2 seeds were requested, but the set has 3" in " ".join(fewer.out.split())
    refused = kd("run", "tiny.toml", "--draws", "3", "--seeds", "1")
    assert refused.code == 1
    assert "draws = 2, not 3" in refused.err


def test_a_second_run_reuses_everything(kd: Kd, tiny: Path) -> None:
    Path("tiny.toml").write_text(TINY)
    before = (tiny / "teacher/meta.json").read_bytes()
    outcome = kd("run", "tiny.toml")
    assert outcome.code == 0
    assert outcome.out.count("up to date") == 4
    assert (tiny / "teacher/meta.json").read_bytes() == before


def test_the_table_has_the_optimum_the_teacher_and_every_target(kd: Kd, tiny: Path) -> None:
    Path("tiny.toml").write_text(TINY)
    out = kd("run", "tiny.toml").out
    for words in ("Bayes optimum", "teacher", "mlp:4", "  labels", "  soft, T = 4", "±", "97.72"):
        assert words in out
    document = json.loads(kd("run", "tiny.toml", "--json").out)
    for student_set in document["students"]:
        assert [len(of_draw) for of_draw in student_set["metrics"]["nll"]["per_seed"]] == [2]
    assert document["draws"] == 1
    assert document["dataset"]["n_test"] == 400


def test_another_recipe_under_the_same_name_is_refused(kd: Kd, tiny: Path) -> None:
    Path("tiny.toml").write_text(TINY.replace("n_samples = 200", "n_samples = 100"))
    refused = kd("run", "tiny.toml")
    assert refused.code == 1
    assert "n_samples = 200, not 100" in refused.err
    assert kd("run", "tiny.toml", "--force").code == 0


def test_a_file_that_cannot_name_a_run(kd: Kd) -> None:
    Path("my file.toml").write_text(TINY)
    assert "name the run with --run NAME" in kd("run", "my file.toml").err
    assert kd("run", "my file.toml", "--run", "mine").code == 0


def test_the_moons_experiment_shows_what_it_is_known_for(kd: Kd) -> None:
    document = json.loads(kd("run", "moons", "--draws", "1", "--seeds", "10", "--json").out)
    teacher = document["teacher"]["metrics"]["accuracy"]
    labels, hard, soft = (
        students["metrics"]["accuracy"]["mean"]
        for students in document["students"]
        if students["model"] == "tree"
    )
    assert document["dataset"]["bayes"]["accuracy"] == pytest.approx(0.91459, abs=1e-5)
    assert teacher >= 0.90
    assert labels < 0.885
    assert soft >= labels + 0.02
    assert abs(soft - teacher) < 0.01
    assert hard > labels
    # Cleaned labels explain the gain.
    gains = {(g["students"], g["metric"]): g for g in document["attributions"]}
    gain = gains["soft-T1-tree", "accuracy"]
    (share,) = gain["shares"]
    assert share["by"] == "hard-tree"
    assert share["gain"] == pytest.approx(hard - labels)
    assert share["gain"] / gain["gain"] > 0.8
    assert any("hard alone (label cleaning) brings" in s for s in document["sentences"]["tree"])
    # 16 leaves of two probabilities, and 15 nodes with a feature and a threshold.
    costs = [s["cost"] for s in document["students"] if s["model"] == "tree:max_leaf_nodes=16"]
    assert [cost["parameters"] for cost in costs] == [62] * 3
    # One draw, one temperature, two classes, and neither images nor columns with names here.
    others = {"draws", "metrics-by-temperature", "dark-knowledge", "disagreements", "column-importance"}
    assert [Path(path).stem for path in document["figures"]] == [f for f in FIGURES if f not in others]


def test_another_recipe_with_the_same_data_and_teacher_adds_its_students(
    kd: Kd, tiny: Path, outputs: Path
) -> None:
    before = tensors(outputs / "tiny")
    recipe = (tiny / "recipe.toml").read_bytes()
    Path("more.toml").write_text(TINY.replace('targets = ["labels", "soft"]', 'targets = ["hard"]'))
    commands = json.loads(kd("run", "more.toml", "--run", "tiny", "--json").out)["commands"]
    assert commands[2] == "kd distill --recipe more.toml"
    assert (tiny / "recipe.toml").read_bytes() == recipe
    after = tensors(outputs / "tiny")
    assert {name: after[name] for name in before} == before
    assert any(name.startswith("students/hard-mlp4") for name in after)
    for command in commands:
        outcome = kd(*shlex.split(command)[1:])
        assert outcome.code == 0
    assert "up to date" in kd("distill", "--recipe", "more.toml").out
    # Replacing those students leaves the run's own recipe alone.
    Path("more.toml").write_text(
        Path("more.toml").read_text().replace("seeds = 2\nepochs = 20", "seeds = 2\nepochs = 5")
    )
    assert kd("run", "more.toml", "--run", "tiny").code == 1
    assert kd("run", "more.toml", "--run", "tiny", "--force").code == 0
    assert (tiny / "recipe.toml").read_bytes() == recipe


def test_another_recipe_joins_a_run_of_as_many_draws(kd: Kd, two_draws: Path) -> None:
    before = tensors(two_draws)
    Path("more.toml").write_text(TINY.replace('targets = ["labels", "soft"]', 'targets = ["hard"]'))
    asked = ("run", "more.toml", "--run", "tiny", "--seeds", "1")
    assert kd(*asked).code == 1  # of one draw
    commands = json.loads(kd(*asked, "--draws", "2", "--json").out)["commands"]
    assert commands[0] == "kd gen-data gaussians --run tiny"
    assert commands[2] == "kd distill --recipe more.toml --seeds 1"
    after = tensors(two_draws)
    assert {name: after[name] for name in before} == before
    (two_draws / "students/hard-mlp4").rename(two_draws.parent / "moved")
    for command in commands:
        assert kd(*shlex.split(command)[1:]).code == 0
    assert tensors(two_draws) == after


def test_the_digits_recipe_runs_with_its_figures(kd: Kd) -> None:
    document = json.loads(kd("run", "digits", "--draws", "2", "--json").out)
    assert document["draws"] == 2
    assert min(document["teacher"]["by_draw"]["accuracy"]) > 0.96
    assert all(min(item["metrics"]["accuracy"]["by_draw"]) > 0.9 for item in document["students"])
    drawn = [Path(path).stem for path in document["figures"]]
    of_images = {"confusion-matrices", "dark-knowledge", "disagreements"}
    assert of_images | {"draws", "metrics-by-temperature"} <= set(drawn)
    assert document["bayes_on_test"] is None
    assert "Each draw is another split of the same examples, with" in " ".join(kd("compare").out.split())


@pytest.fixture
def own(kd: Kd, outputs: Path) -> Path:
    """The finished run of a table of one's own, as the current one; returns its folder."""
    customers()
    assert kd(*OWN, "--quiet").code == 0
    return outputs / "customers"


def test_the_single_commands_make_the_same_bits_of_a_table_of_ones_own(kd: Kd, outputs: Path) -> None:
    customers()
    document = json.loads(kd(*OWN, "--json").out)
    assert (document["dataset"]["name"], document["draws"]) == ("customers", 2)
    assert document["dataset"]["classes"] == ["no", "yes"]
    assert {s["model"] for s in document["students"]} == {
        "mlp:16",
        "linear",
        "tree:max_leaf_nodes=32",
        "gbdt:rounds=30,leaves=7",
    }
    first, *others = document["commands"]
    assert first == "kd gen-data customers.csv --draws 2 --label left --run customers"
    assert others == ["kd train-teacher", "kd distill --seeds 2", "kd plot", "kd compare"]
    whole = tensors(outputs / "customers")
    (outputs / "customers").rename(outputs / "moved")
    for command in (first, *others):
        assert kd(*shlex.split(command)[1:]).code == 0
    assert tensors(outputs / "customers") == whole


def test_a_table_of_ones_own_that_is_the_same_is_up_to_date(kd: Kd, own: Path) -> None:
    before = tensors(own)
    again = kd(*OWN)
    assert again.code == 0
    assert "wrote" not in again.out.partition("$ kd plot")[0]
    assert again.out.count("up to date") == 2 + 4 * 4  # data, teacher, four sets of four models
    assert tensors(own) == before
    refused = kd(*OWN[:-4])
    assert refused.code == 1
    assert "made with draws = 2, not 10" in refused.err


def test_a_table_that_was_changed_is_refused_unless_by_force(kd: Kd, own: Path) -> None:
    before = tensors(own)
    customers(seed=1)
    refused = kd(*OWN)
    assert refused.code == 1
    assert "changed since" in refused.err
    assert "--force reads it again" in refused.err
    assert tensors(own) == before
    assert kd(*OWN, "--force").code == 0
    after = tensors(own)
    assert list(after) == list(before)
    assert not any(after[name] == before[name] for name in after)
    assert kd(*OWN, "--quiet").code == 0  # up to date with the new one


def test_what_follows_the_data_needs_no_file(kd: Kd, outputs: Path, own: Path) -> None:
    whole = tensors(own)
    for folder in ("teacher", "students"):
        (own / folder).rename(outputs / folder)
    Path("customers.csv").unlink()
    for command in (("train-teacher",), ("distill", "--seeds", "2"), ("plot",), ("compare",), ("show",)):
        outcome = kd(*command)
        assert outcome.code == 0, outcome.err
    assert tensors(own) == whole
    gone = kd(*OWN)
    assert gone.code == 1
    assert "there is no file or folder customers.csv" in gone.err


def test_the_recipe_of_a_run_makes_it_again_from_the_same_file_alone(
    kd: Kd, outputs: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")  # the recipe has the whole path
    again = ("run", str(own / "recipe.toml"), "--seeds", "2", "--run")
    made = kd(*again, "other", "--json")
    assert made.code == 0
    assert tensors(outputs / "other") == tensors(own)
    first = json.loads(made.out)["commands"][0]
    assert first == f"kd gen-data --recipe {own}/recipe.toml --run other"
    assert "is up to date" in kd(*shlex.split(first)[1:]).out
    customers("../customers.csv", seed=1)
    refused = kd(*again, "third")
    assert refused.code == 1
    assert "the SHA-256 differs" in refused.err
    assert not (outputs / "third").exists()


def test_the_single_commands_make_the_same_bits_of_a_folder_with_idx_files(kd: Kd, outputs: Path) -> None:
    folder = str(write_files(Path("pictures/small"), small_mnist()))
    whole = WholeRun(opened(outputs / "small"), builtin("mnist"), source=folder, files=Path(folder))
    first, *_ = (spell(step.command) for step in whole.steps())
    assert first == f"kd gen-data {folder} --run small"
    outcome = kd(*shlex.split(first)[1:], "--n-val", "50")
    assert outcome.code == 0
    assert opened(outputs / "small").data.record.own_files


def test_bad_recipes(kd: Kd) -> None:
    assert "did you mean gaussians?" in kd("run", "gaussian").err
    assert kd("run", "absent.toml").code == 1
    Path("bad.toml").write_text(TINY.replace("epochs = 20", "epochs = -1"))
    bad = kd("run", "bad.toml")
    assert bad.code == 2
    assert "2 problems" in bad.err
