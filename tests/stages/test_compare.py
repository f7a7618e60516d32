import csv
import io
import json
import re
import shlex
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from customers import customers
from harness import TINY, Kd, compared, opened, small_mnist, write_files
from scipy.stats import ttest_1samp
from torch.nn import functional as F

from kdcli.errors import KdError
from kdcli.evidence import conclusions
from kdcli.evidence.tested import on_test_splits
from kdcli.metrics import METRICS, measure
from kdcli.runs.experiment import Experiment
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_reading import parse
from kdcli.scaling import temperature
from kdcli.scored import Scored
from kdcli.stats import crossed
from kdcli.store import Store

COST = {"parameters", "multiply_adds", "bytes", "latency_ms", "latency_p95_ms", "latency_row_us"}


def document(kd: Kd, *arguments: str) -> dict[str, Any]:
    outcome = kd("compare", *arguments, "--json")
    assert outcome.code == 0, outcome.out
    assert outcome.err == ""
    made: dict[str, Any] = json.loads(outcome.out)
    return made


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def by_name(made: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in made["students"]}


def test_the_document_has_the_schema_of_the_design(kd: Kd, tiny: Path) -> None:
    made = document(kd)
    assert made["run"] == "tiny"
    assert {"name", "n_train", "n_val", "n_test", "n_classes", "bayes"} <= set(made["dataset"])
    assert {"accuracy", "errors", "nll", "brier", "ece"} <= set(made["teacher"]["metrics"])
    assert set(made["teacher"]["cost"]) == COST
    control, soft = made["students"]
    assert (control["name"], control["versus"]) == ("labels-mlp4", None)
    assert (soft["name"], soft["target"], soft["temperature"]) == ("soft-T4-mlp4", "soft", 4.0)
    assert (soft["model"], soft["seeds"], soft["stale"]) == ("mlp:4", 2, False)
    asked_for = {name for name, metric in METRICS.items() if metric.for_own} | {"nll_scaled"}
    assert set(soft["metrics"]) == set(METRICS) - asked_for
    unknown = {name for name, metric in soft["metrics"].items() if metric["ci95"] is None}
    assert unknown == {"ece", "reliability", "resolution"}
    for metric in (soft["metrics"][name] for name in soft["metrics"].keys() - unknown):
        assert metric["ci95"][0] <= metric["mean"] <= metric["ci95"][1]
        (of_seeds,) = metric["per_seed"]
        assert len(of_seeds) == 2
        assert metric["by_draw"] == pytest.approx([metric["mean"]])
    assert soft["cost"]["parameters"] == 2 * 4 + 4 + 4 * 2 + 2
    assert soft["cost"]["multiply_adds"] == 2 * 4 + 4 * 2
    assert soft["cost"]["bytes"] == 4 * soft["cost"]["parameters"]
    assert 0 < soft["cost"]["latency_ms"] <= soft["cost"]["latency_p95_ms"]
    versus = soft["versus"]
    assert (versus["control"], versus["paired"]) == ("labels-mlp4", True)
    for name in ("accuracy", "nll"):
        verdict = versus[name]
        assert {"difference", "ci95", "by_draw", "p_value", "verdict"} <= set(verdict)
        assert verdict["verdict"] in ("better", "worse", "no difference shown")
        assert (verdict["p_holm"] <= 0.05) == (verdict["verdict"] != "no difference shown")
        assert 0 < verdict["p_value"] <= verdict["p_holm"] <= 1
        means = [one["metrics"][name]["mean"] for one in (soft, control)]
        assert verdict["difference"] == pytest.approx(means[0] - means[1])
    stored = json.loads((tiny / "compare.json").read_text())
    same = (
        "run",
        "draws",
        "finding",
        "dataset",
        "bayes_on_test",
        "control",
        "attributions",
        "sentences",
        "warnings",
    )
    assert {key: stored[key] for key in same} == {key: made[key] for key in same}


def scored(run: Path) -> dict[str, list[Scored]]:
    """Return the logits of each set's stored students on the test split of each draw."""
    experiment = opened(run)
    teacher = experiment.teacher.logits["test"]
    return {
        trained.folder: on_test_splits(experiment.data, trained.load_tested(), teacher)
        for trained in experiment.students()
    }


def test_the_differences_are_those_of_the_stored_predictions(kd: Kd, tiny: Path) -> None:
    found = {name: of_draw for name, (of_draw,) in scored(tiny).items()}
    made = document(kd, "--metric", "brier,errors", "--metric", "agreement")
    soft = by_name(made)["soft-T4-mlp4"]
    for name, metric in soft["metrics"].items():
        (of_seeds,) = metric["per_seed"]
        assert of_seeds == pytest.approx(measure(found["soft-T4-mlp4"], [name])[name])
    for name in ("accuracy", "nll", "brier", "agreement"):
        values = [METRICS[name].values(found[key]) for key in ("soft-T4-mlp4", "labels-mlp4")]
        expected = crossed(values[0] - values[1])
        assert soft["versus"][name]["difference"] == pytest.approx(expected.mean)
        assert soft["versus"][name]["ci95"] == pytest.approx(expected.estimate[1:])
        assert soft["versus"][name]["another_draw"] is None
    accuracy, errors = soft["versus"]["accuracy"], soft["versus"]["errors"]
    assert errors["difference"] == pytest.approx(-400 * accuracy["difference"])
    assert errors["p_value"] == pytest.approx(accuracy["p_value"])


def test_the_differences_over_draws_are_those_of_the_stored_predictions(kd: Kd, two_draws: Path) -> None:
    found = scored(two_draws)
    made = document(kd, "--metric", "brier,errors")
    assert made["draws"] == 2
    labels, soft = made["students"]
    for name in ("accuracy", "nll", "brier"):
        means = {key: [measure(of_draw, [name])[name] for of_draw in found[key]] for key in found}
        gains = [
            fmean(ours) - fmean(theirs)
            for ours, theirs in zip(means["soft-T4-mlp4"], means["labels-mlp4"], strict=True)
        ]
        test = ttest_1samp(gains, 0)
        versus = soft["versus"][name]
        for of_draw, expected in zip(soft["metrics"][name]["per_seed"], means["soft-T4-mlp4"], strict=True):
            assert of_draw == pytest.approx(expected)
        assert labels["metrics"][name]["by_draw"] == pytest.approx(list(map(fmean, means["labels-mlp4"])))
        assert versus["by_draw"] == pytest.approx(gains)
        assert versus["difference"] == pytest.approx(fmean(gains))
        assert versus["ci95"] == pytest.approx(list(test.confidence_interval()))
        assert versus["p_value"] == pytest.approx(test.pvalue)
        low, high = versus["another_draw"]
        assert (high - low) / (versus["ci95"][1] - versus["ci95"][0]) == pytest.approx(3**0.5)
    accuracy, errors = soft["versus"]["accuracy"], soft["versus"]["errors"]
    assert errors["by_draw"] == pytest.approx([-400 * difference for difference in accuracy["by_draw"]])
    teacher = made["teacher"]
    assert teacher["metrics"]["accuracy"] == pytest.approx(fmean(teacher["by_draw"]["accuracy"]))


def test_over_draws_a_person_is_told_of_them_and_a_table_has_them(kd: Kd, two_draws: Path) -> None:
    out = kd("compare").out
    assert out.startswith("Over 2 draws, ")
    assert "tiny: 2 draws × 2 seeds, 400 test examples each, ± is half of a 95 % interval" in in_one_line(out)
    assert re.search(r" [+−] in \d/2 ", out)
    assert "Each draw is a new sample of the data, with a teacher and students of its own; " in in_one_line(
        out
    )
    assert "95 % interval over the 2 draws." in in_one_line(out)
    rows = list(csv.DictReader(io.StringIO(kd("compare", "--csv").out)))
    assert {row["difference_draws"] for row in rows if row["difference"]} == {"2"}


def test_a_table_for_a_person(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in ("80", "150"):
        monkeypatch.setenv("COLUMNS", width)
        out = kd("compare", "--full").out
        assert max(map(len, out.splitlines())) <= int(width)
        for words in (
            "tiny: 2 seeds, 400 test examples",
            "Bayes optimum",
            "teacher",
            "labels (control)",
            "soft, T = 4",
            "vs labels",
            "NLL (nats)",
            "Brier",
            "multiply-",
            "latency",
            "does not cover other draws",
            "Holm",
            "wrote outputs/tiny/compare.json",
        ):
            assert words in in_one_line(out), words
    assert "verdict" in out
    assert kd("compare", "--quiet").out == ""
    rows = list(csv.DictReader(io.StringIO(kd("compare", "--csv").out)))
    assert {row["name"] for row in rows} == {"Bayes optimum", "teacher", "labels-mlp4", "soft-T4-mlp4"}


def test_the_finding_comes_first_then_one_table_and_the_command_for_the_rest(kd: Kd, tiny: Path) -> None:
    out = kd("compare", "--metric", "brier").out
    finding, title, rest = out.partition("tiny: 2 seeds")
    assert finding.startswith("On these training data, ")
    assert title
    assert rest.count("┏") == 1
    words = " ".join(rest.split())
    assert "`kd compare --full --metric brier` adds" in words
    full = kd("compare", "--full", "--metric", "brier").out
    assert full.startswith(finding)
    assert full.count("┏") > 1
    assert "kd compare" not in full


def test_a_broken_recipe_does_not_stop_the_comparison(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "labels,hard", "--model", "tree", "--seeds", "1")
    kd("distill", "--target", "soft", "--temperature", "2", "--epochs", "30", "--seeds", "3")
    (tiny / "recipe.toml").write_text("[data\n")
    made = compared(kd)
    assert by_name(made)["soft-T4-mlp4"]["versus"]["accuracy"]["verdict"]
    edited, single = made["warnings"][:2]
    assert edited.startswith("the run cannot be compared with its recipe: ")
    assert single.endswith("`kd distill --target labels,hard` trains ten.")
    assert "`kd distill --target labels` makes a control" in " ".join(kd("compare").out.split())


def test_the_commands_that_are_advised_work_as_they_are_printed(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "labels,hard", "--model", "tree", "--seeds", "1")
    (warning,) = (text for text in compared(kd)["warnings"] if text.startswith("No verdict"))
    command = re.search(r"`kd (.*)`", warning)
    assert command
    assert command[1] == "distill --target labels,hard --model tree --seeds 10"
    assert kd(*command[1].split()).code == 0
    assert not any(text.startswith("No verdict") for text in compared(kd)["warnings"])


def advised(kd: Kd, start: str) -> str:
    """Return the command in the warning with this start."""
    (warning,) = (text for text in compared(kd)["warnings"] if text.startswith(start))
    (command,) = re.findall(r"`kd (.*?)`", warning)
    assert isinstance(command, str)
    return command


def test_several_draws_are_made_by_the_command_that_is_advised(kd: Kd, tiny: Path) -> None:
    command = advised(kd, "These verdicts hold for one draw of the data")
    assert command == f"run {tiny}/recipe.toml --draws 10 --run tiny-10-draws"
    one = by_name(compared(kd))
    assert kd(*shlex.split(command)).code == 0
    assert kd("use", "tiny-10-draws").code == 0
    several = compared(kd)
    assert several["draws"] == 10
    assert not any(text.startswith("These verdicts hold for one draw") for text in several["warnings"])
    for name, students in by_name(several).items():  # the first draw is the one that was there
        (before,), (first, *_) = (made["metrics"]["nll"]["per_seed"] for made in (one[name], students))
        assert first == pytest.approx(before, rel=1e-5)  # stacks of other sizes differ in the last bits


@pytest.mark.parametrize("name", ["tiny", "a" * 100])
def test_the_advice_to_make_several_draws_is_read_back_as_it_is_meant(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("KD_OUTPUTS")
    tiny.rename(tiny.parent / name)
    shutil.move(tiny.parent, "else where")
    made = json.loads(kd("compare", "--run", name, "--outputs", "else where", "--json").out)
    (warning,) = (text for text in made["warnings"] if text.startswith("These verdicts hold for one draw"))
    (command,) = re.findall(r"`kd (.*?)`", warning)
    called: list[dict[str, Any]] = []

    def whole_run(experiment: Experiment, recipe: Recipe, **options: Any) -> None:
        called.append({**options, "run": experiment.run, "recipe": recipe})
        raise KdError("called")

    monkeypatch.setattr("kdcli.stages.run.WholeRun", whole_run)
    assert kd(*shlex.split(command)).code == 1
    (call,) = called
    assert call["settings"] == call["given"] == {"draws": 10}
    assert (call["seeds"], call["files"], call["force"]) == (None, None, False)
    assert call["recipe"] == parse(Path(f"else where/{name}/recipe.toml").read_text(encoding="utf-8"), "")
    assert call["run"].path.parent == Path("else where")
    assert call["run"].name not in ("", name)


def test_the_advice_to_make_several_draws_names_a_place_for_the_files_they_are_read_from(
    kd: Kd, outputs: Path
) -> None:
    source = write_files(Path("files"), small_mnist())
    assert kd("gen-data", "mnist", "--source", str(source), "--n-val", "50", "--run", "mine").code == 0
    assert kd("distill", "--model", "tree", "--target", "labels,smooth", "--seeds", "2").code == 0
    command = advised(kd, "These verdicts hold for one draw of the data")
    assert command == f"run {outputs}/mine/recipe.toml --source FOLDER --draws 10 --run mine-10-draws"


def test_a_single_seed_has_a_verdict_where_there_are_several_draws(kd: Kd, two_draws: Path) -> None:
    kd("distill", "--target", "labels,hard", "--model", "tree", "--seeds", "1")
    made = compared(kd)
    assert by_name(made)["hard-tree"]["versus"]["accuracy"]["verdict"] is not None
    assert not any(text.startswith("No verdict") for text in made["warnings"])


def test_a_gain_is_explained_by_the_targets_that_kd_advises_to_train(kd: Kd) -> None:
    """On moons, unpruned trees gain from soft targets, and cleaned labels explain it."""
    kd("gen-data", "moons", "--n-samples", "1000", "--n-test", "3000", "--draws", "1")
    kd("train-teacher", "--epochs", "60")
    kd("distill", "--model", "tree", "--target", "labels,soft", "--seeds", "3")
    made = compared(kd)
    assert [gain["shares"] for gain in made["attributions"] if gain["metric"] == "accuracy"] == [[]]
    command = re.search(r"run `kd (.*)`", made["sentences"]["tree"][-1])
    assert command
    assert command[1] == "distill --target smooth,hard --model tree --smoothing auto --seeds 3"
    assert kd(*command[1].split()).code == 0
    made = compared(kd)
    shares = made["attributions"][0]["shares"]
    assert {share["by"] for share in shares} == {"smooth-eauto-tree", "hard-tree"}
    assert any("hard alone (label cleaning) brings" in said.lower() for said in made["sentences"]["tree"])


def test_another_control(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "hard")
    for name in ("hard", "hard-mlp4"):
        made = document(kd, "--control", name)
        found = {one: students["versus"] for one, students in by_name(made).items()}
        assert found["hard-mlp4"] is None
        assert found["labels-mlp4"]["control"] == found["soft-T4-mlp4"]["control"] == "hard-mlp4"
    wrong = kd("compare", "--control", "hrad")
    assert wrong.code == 2
    assert "did you mean hard" in wrong.err


def test_sets_that_cannot_be_paired_are_compared_only_when_asked(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "soft", "--temperature", "2", "--epochs", "30", "--seeds", "3")
    one = by_name(document(kd))["soft-T2-mlp4"]
    assert one["versus"] is None
    assert (
        one["reason"]
        == "cannot be paired with labels-mlp4: they differ in epochs (30, not 20), seeds (3, not 2)"
    )
    out = kd("compare").out
    assert "no control" in out
    named = "--name labels-mlp4-for-soft-T2-mlp4"
    assert f"kd distill --target labels --epochs 30 --seeds 3 {named}` makes a control" in " ".join(
        out.split()
    )
    asked = by_name(document(kd, "--unpaired"))
    assert asked["soft-T2-mlp4"]["versus"]["paired"] is False
    assert asked["soft-T4-mlp4"]["versus"]["paired"] is True
    assert asked["soft-T2-mlp4"]["versus"]["nll"]["verdict"] is not None
    assert "unpaired" in kd("compare", "--unpaired").out
    # The printed command works, and leaves the other control unchanged.
    remedy = re.search(r"kd (distill --target labels .*?)`", " ".join(out.split()))
    assert remedy
    assert kd(*remedy[1].split()).code == 0
    made = by_name(document(kd))
    assert made["soft-T2-mlp4"]["versus"]["control"] == "labels-mlp4-for-soft-T2-mlp4"
    assert made["soft-T4-mlp4"]["versus"]["control"] == "labels-mlp4"


def test_stale_sets_are_left_out_and_named(kd: Kd, tiny: Path) -> None:
    kd("train-teacher", "--epochs", "3", "--force")
    made = document(kd)
    assert {one["name"]: one["stale"] for one in made["students"]} == {
        "labels-mlp4": False,
        "soft-T4-mlp4": True,
    }
    assert "left out students/soft-T4-mlp4: stale" in kd("compare").out
    kd("gen-data", "--seed", "5", "--force", "--run", "tiny")
    kd("train-teacher", "--force")
    refused = kd("compare")
    assert refused.code == 1
    assert "all students of run tiny are stale" in refused.err
    assert "kd distill --target labels" in refused.err


def test_without_a_teacher_students_are_compared_with_what_is_there(kd: Kd) -> None:
    kd("gen-data", "--n-samples", "100", "--n-test", "200", "--draws", "1")
    kd("distill", "--target", "labels,bayes", "--seeds", "2", "--epochs", "5")
    made = document(kd)
    assert made["teacher"] is None
    assert "agreement" not in made["students"][0]["metrics"]
    assert kd("compare").code == 0
    refused = kd("compare", "--metric", "agreement")
    assert refused.code == 2
    assert "the metric agreement needs a teacher" in refused.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--metric", "brie"], 2, "did you mean brier?"),
        (["--metric", "ece"], 2, "ece has no interval, and so no verdict"),
        (["--model", "mlp:5"], 2, "`kd distill --model mlp:5` trains it"),
        (["--csv", "--json"], 2, "cannot be combined"),
        (["--run", "tony"], 2, "did you mean tiny?"),
    ],
)
def test_bad_input(kd: Kd, tiny: Path, arguments: list[str], code: int, words: str) -> None:
    outcome = kd("compare", *arguments)
    assert outcome.code == code
    assert words in outcome.err + outcome.out


def test_nothing_to_compare(kd: Kd) -> None:
    kd("gen-data", "--n-samples", "100", "--n-test", "200", "--draws", "2")
    kd("train-teacher", "--epochs", "2")
    none = kd("compare")
    assert none.code == 1
    assert "has no students yet" in none.err
    assert "kd distill" in none.err
    kd("distill", "--target", "soft", "--seeds", "3", "--epochs", "3")
    alone = kd("compare")
    assert alone.code == 1
    assert "there is no set 'labels' to compare with" in alone.err
    assert "kd distill --target labels --epochs 3 --seeds 3" in alone.err
    assert kd("distill", "--target", "labels", "--epochs", "3", "--seeds", "3").code == 0
    assert kd("compare").code == 0


def test_damaged_predictions_are_named_with_the_command_that_makes_them_again(kd: Kd, tiny: Path) -> None:
    path = tiny / "students/soft-T4-mlp4/predictions.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    outcome = kd("compare")
    assert outcome.code == 1
    assert "predictions.safetensors is damaged" in outcome.err
    assert "kd distill --target soft --temperature 4" in outcome.err


def test_a_run_without_a_control_ends_with_its_table_all_the_same(kd: Kd) -> None:
    Path("soft.toml").write_text(TINY.replace('["labels", "soft"]', '["soft"]'))
    outcome = kd("run", "soft.toml")
    assert outcome.code == 0
    assert "there is no set 'labels' to compare with" in " ".join(outcome.out.split())


def test_a_folder_without_tensors_is_no_set(kd: Kd, tiny: Path) -> None:
    (tiny / "students/notes").mkdir()
    (tiny / "students/notes/ideas.txt").write_text("mine")
    for command in ("compare", "plot", "distill"):
        assert kd(command).code == 0


def test_a_set_that_lost_its_record_is_not_left_out_silently(kd: Kd, tiny: Path) -> None:
    folder = tiny / "students/soft-T4-mlp4"
    (folder / "meta.json").unlink()
    for command in ("compare", "plot"):
        outcome = kd(command)
        assert outcome.code == 1
        assert f"{folder} is unfinished: it has tensors, but no meta.json" in outcome.err
        assert f"remove {folder} and make it again with `kd distill" in outcome.err


def test_a_model_of_many_layers_has_its_sets_figures_and_report(kd: Kd, tiny: Path) -> None:
    model = "mlp:" + ",".join(["2"] * 150)
    students = ("--target", "labels,hard", "--model", model, "--epochs", "1", "--seeds", "1")
    assert kd("distill", *students).code == 0
    assert "up to date" in kd("distill", *students).out
    compared = kd("compare", "--model", model, "--json")
    assert len(json.loads(compared.out)["students"]) == 2
    assert kd("plot", "learning-curves", "--model", model, "--format", "svg").code == 0
    assert json.loads(kd("check", "--json").out)["damaged"] == 0


@pytest.mark.parametrize("name", ["a" * 300, "../teacher", "\x00", "labels-mlp5"])
def test_a_control_by_a_name_that_no_set_has(kd: Kd, tiny: Path, name: str) -> None:
    outcome = kd("compare", "--control", name)
    assert outcome.code == 2
    assert "no student set" in outcome.err


IMBALANCED = ("balanced_accuracy", "average_precision")


@pytest.mark.parametrize(
    ("leave", "judged"), [(0.08, ("accuracy", "nll", *IMBALANCED)), (0.4, ("accuracy", "nll"))]
)
def test_a_rare_class_has_verdicts_that_accuracy_does_not_hide(
    kd: Kd, leave: float, judged: tuple[str, ...]
) -> None:
    made = kd("gen-data", customers(rows=400, leave=leave), "--label", "left", "--draws", "2")
    assert made.code == 0
    students = ("--model", "linear", "--target", "labels,smooth", "--seeds", "2")
    assert kd("distill", *students, "--epochs", "60", "--learning-rate", "0.05").code == 0
    out = " ".join(kd("compare").out.split())
    document = compared(kd)
    smooth = by_name(document)["smooth-e0.1-linear"]
    assert [metric for metric in METRICS if metric in smooth["versus"]] == [m for m in METRICS if m in judged]
    assert set(IMBALANCED) | {"roc_auc"} <= set(smooth["metrics"])  # measured of all data of one's own
    for metric in judged:
        assert smooth["versus"][metric]["verdict"] in ("better", "worse", "no difference shown")
    for metric in IMBALANCED:
        assert (METRICS[metric].title in out) is (metric in judged)
    if len(judged) > 2:
        accuracy, balanced = (smooth["metrics"][name]["mean"] for name in ("accuracy", "balanced_accuracy"))
        assert accuracy > 0.85
        assert balanced < accuracy - 0.1


def test_ranking_is_measured_of_a_built_in_problem_where_it_is_asked_for(kd: Kd, tiny: Path) -> None:
    assert "roc_auc" not in by_name(compared(kd))["soft-T4-mlp4"]["metrics"]
    asked = json.loads(kd("compare", "--metric", "roc_auc", "--json").out)
    for students in asked["students"]:
        assert 0.95 < students["metrics"]["roc_auc"]["mean"] < 1  # of two clusters that hardly overlap
        assert not set(IMBALANCED) & set(students["metrics"])
    soft, labels = (by_name(asked)[f"{name}-mlp4"] for name in ("soft-T4", "labels"))
    versus = soft["versus"]["roc_auc"]
    assert versus["difference"] == pytest.approx(
        soft["metrics"]["roc_auc"]["mean"] - labels["metrics"]["roc_auc"]["mean"]
    )
    assert versus["verdict"] in ("better", "worse", "no difference shown", None)  # too skewed
    assert "area under ROC" in kd("compare", "--metric", "roc_auc").out


def test_within_groups(kd: Kd, tiny: Path) -> None:
    shown = kd("compare", "--by", "class")
    assert "recall of mlp:4 in % by class, on n test examples each" in shown.out
    told = json.loads(kd("compare", "--by", "class", "--json").out)
    assert told["path"].endswith("compare-by-class.json")
    comparisons = told["groups"]["comparisons"]
    assert [one["group"] for one in comparisons] == ["0", "1"]
    assert sum(sum(one["examples"]) for one in comparisons) == told["dataset"]["n_test"]
    whole = by_name(told)["soft-T4-mlp4"]["versus"]["accuracy"]["difference"]
    parts = sum(one["difference"] * one["examples"][0] for one in comparisons)
    assert whole == pytest.approx(parts / told["dataset"]["n_test"])
    assert kd("compare", "--by", "class", "--csv").code == 2
    assert "no group 'sex'" in kd("compare", "--by", "sex").err


def test_nll_after_temperature_scaling(kd: Kd, tiny: Path) -> None:
    experiment = Experiment.open(Store().existing_run(None))
    pool = experiment.data.pool
    asked = json.loads(kd("compare", "--metric", "nll_scaled", "--json").out)
    for trained in experiment.students():
        stack = trained.load_model()
        val = stack.predict(pool.x, pool.index["val"])
        scale = temperature(val, pool.labels("val"))[:, None, None]
        test = pool.labels("test").expand(2, -1).flatten()
        logits = (trained.load_tested()[0].double() / scale).flatten(0, 1)
        told = by_name(asked)[trained.folder]["metrics"]
        assert told["nll_scaled"]["mean"] == pytest.approx(float(F.cross_entropy(logits, test)))
        assert told["nll_scaled"]["mean"] != told["nll"]["mean"]
    assert "nll_scaled" in by_name(asked)["soft-T4-mlp4"]["versus"]
    assert "nll_scaled" not in by_name(compared(kd))["soft-T4-mlp4"]["metrics"]
    assert asked["bayes_on_test"]["nll_scaled"] == asked["bayes_on_test"]["nll"]


def test_teacher_and_students_are_timed_together(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[set[str]] = []
    whole = conclusions.measure_costs

    def watched(models: Any, data: Any) -> Any:
        models = list(models)
        timed.append({one.folder for one in models})
        return whole(models, data)

    monkeypatch.setattr(conclusions, "measure_costs", watched)
    made = compared(kd)
    assert timed == [{"teacher", "labels-mlp4", "soft-T4-mlp4"}]
    assert made["teacher"]["cost"]["bytes"] > 0


def test_groups_are_shown_with_what_was_left_out(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "--target", "hard", "--model", "mlp:4", "--seeds", "2", "--epochs", "20").code == 0
    assert kd("train-teacher", "--epochs", "3", "--force").code == 0
    shown = in_one_line(kd("compare", "--by", "class").out)
    assert "! left out students/soft-T4-mlp4: stale" in shown
    assert kd("compare", "--by", "class", "--full").code == 2
