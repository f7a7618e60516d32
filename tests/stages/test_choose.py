import json
from pathlib import Path
from typing import Any

import pytest
from harness import Kd, opened

from kdcli.metrics import METRICS
from kdcli.scored import Scored


@pytest.fixture
def several(kd: Kd, two_draws: Path) -> Path:
    """A run with sets of three models of very different size."""
    models = ("--model", "tree:max_depth=2,mlp:64,64", "--target", "labels,soft")
    assert kd("distill", *models, "--epochs", "3").code == 0
    return two_draws


def chosen(kd: Kd, *options: str) -> dict[str, Any]:
    outcome = kd("choose", *options, "--json")
    assert outcome.code == (0 if json.loads(outcome.out)["chosen"] else 1), outcome.err
    told: dict[str, Any] = json.loads(outcome.out)
    return told


def on_validation(run: Path, folder: str, metric: str) -> float:
    (trained,) = [t for t in opened(run).students() if t.folder == folder]
    stack, data = trained.load_model(), opened(run).data
    means = []
    for draw in range(data.draws):
        x, y, _ = data.pool.split("val", draw)
        for seed in range(trained.seeds):
            logits = trained.member(stack, seed, draw).predict(x)
            means.append(float(METRICS[metric].values(Scored(logits, y)).mean()))
    return sum(means) / len(means)


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
@pytest.mark.parametrize("of", ["best", "teacher"])
@pytest.mark.parametrize("within", [0.0, 0.5, 100.0])
def test_the_smallest_set_that_is_near_enough_on_validation_examples(
    kd: Kd, several: Path, metric: str, of: str, within: float
) -> None:
    told = chosen(kd, "--metric", metric, "--of", of, "--within", str(within))
    names = [students["name"] for students in told["students"]]
    assert {*names} == {trained.folder for trained in opened(several).students()}
    sizes = [students["cost"]["bytes"] for students in told["students"]]
    assert sizes == sorted(sizes)
    values = {name: on_validation(several, name, metric) for name in names}
    for students in told["students"]:
        found = float(students["validation"])
        assert found == pytest.approx(values[students["name"]], rel=1e-5)
    sign = 1 if metric == "accuracy" else -1
    best = max(values.values(), key=lambda value: sign * value)
    reference = best if of == "best" else told["teacher"]
    assert told["reference"] == pytest.approx(reference, rel=1e-5)
    allowed = within / 100 if metric == "accuracy" else within
    near = [name for name in names if sign * (reference - values[name]) <= allowed + 1e-6]
    assert told["chosen"] == (near[0] if near else None)


def test_what_is_too_large_or_too_slow_is_not_chosen(kd: Kd, several: Path) -> None:
    whole = chosen(kd, "--within", "100")
    by_name = {students["name"]: students for students in whole["students"]}
    middle = by_name["labels-mlp4"]["cost"]["bytes"]
    told = chosen(kd, "--within", "100", "--size", f"{middle}B")
    misses = {students["name"]: students["misses"] for students in told["students"]}
    assert misses["labels-mlp64-64"] == ["size"]
    assert misses["labels-mlp4"] == []
    nothing = kd("choose", "--within", "100", "--latency", "1us")
    assert nothing.code == 1
    assert "No student set is within the budget" in nothing.out
    assert "too slow" in nothing.out


def test_the_test_split_has_no_part_in_it(kd: Kd, several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = chosen(kd, "--within", "0")["chosen"]
    labels = type(opened(several).data.pool).labels

    def without_test(pool: Any, split: str, draw: int = 0) -> Any:
        assert split != "test"
        return labels(pool, split, draw)

    monkeypatch.setattr(type(opened(several).data.pool), "labels", without_test)
    assert chosen(kd, "--within", "0")["chosen"] == before


def test_the_choice_is_told_with_the_command_that_predicts_with_it(kd: Kd, several: Path) -> None:
    told = kd("choose", "--within", "100")
    assert "The smallest student set within the budget is" in told.out
    assert "kd predict" in told.out
    assert told.out.count("within") > 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--latency", "3"], "'3' is not a number with a unit"),
        (["--size", "small"], "'small' is not a number with a unit"),
        (["--metric", "agreement"], "students cannot be chosen by agreement"),
        (["--metric", "acuracy"], "did you mean accuracy?"),
        (["--of", "labels"], "--of: must be one of best, teacher"),
        (["--within", "-1"], "--within: must be at least 0"),
    ],
)
def test_bad_wishes(kd: Kd, tiny: Path, options: list[str], words: str) -> None:
    outcome = kd("choose", *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_run_without_students_has_nothing_to_choose(kd: Kd, outputs: Path) -> None:
    kd("gen-data", "gaussians", "--n-samples", "100", "--run", "bare")
    outcome = kd("choose")
    assert outcome.code == 1
    assert "run bare has no students yet" in outcome.err
