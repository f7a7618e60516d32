from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from measured import evidence, students, teacher
from studied import Gathered, gathering

from kdcli.errors import KdError, UsageError
from kdcli.evidence.gather import Evidence
from kdcli.evidence.study import StudyEvidence, StudyRow, by_value, undecided
from kdcli.stats import LEVEL, holm

SEEDS = '"data.seed" = [1, 2, 3]\n'
NAMES = ("seed-1", "seed-2", "seed-3")


@pytest.fixture
def gathered(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Gathered:
    return gathering(outputs, monkeypatch)


def run(gain: float = 0.0, **settings: Any) -> Evidence:
    """Return the evidence of a run whose soft targets have this gain in accuracy."""
    return evidence(
        students("labels", 0.8, **settings),
        students("soft", 0.8 + gain, **settings),
        teacher=teacher(0.9),
    )


def row_of(found: StudyEvidence, name: str, treatment: str = "soft") -> StudyRow:
    (row,) = [row for row in found.rows if (row.run, row.treatment) == (name, treatment)]
    return row


def p_alone(made: Evidence, metric: str = "accuracy") -> float:
    adjusted = made.named("soft-T4-mlp4").versus[metric].adjusted
    assert adjusted is not None
    return adjusted


def test_verdicts_are_corrected_for_the_comparisons_of_all_runs(gathered: Gathered) -> None:
    alone = {name: run(gain) for name, gain in zip(NAMES, (0.1, 0.01, 0.002), strict=True)}
    found = gathered(SEEDS, alone)
    versus = [v for row in found.rows for v in row.compared]
    assert found.tests == len(versus) == sum(made.tests for made in alone.values()) == 6
    expected = holm([v.p_value for v in versus if v.p_value is not None])
    assert [v.adjusted for v in versus] == expected
    for name, made in alone.items():
        for metric in ("accuracy", "nll"):
            ours = row_of(found, name).students.versus[metric]
            theirs = made.named("soft-T4-mlp4").versus[metric]
            assert ours.adjusted is not None
            assert theirs.adjusted is not None
            assert ours.adjusted >= theirs.adjusted
            assert (ours.difference, ours.interval, ours.p_value) == (
                theirs.difference,
                theirs.interval,
                theirs.p_value,
            )
            assert (ours.verdict != "no difference shown") == (ours.adjusted <= LEVEL)


def test_one_run_has_the_verdicts_that_it_has_alone(gathered: Gathered) -> None:
    alone = run(0.05)
    found = gathered('"data.seed" = [1]\n', {"seed-1": alone})
    assert row_of(found, "seed-1").students.versus == alone.named("soft-T4-mlp4").versus


def test_a_verdict_of_a_run_alone_may_vanish_among_many(gathered: Gathered) -> None:
    gains = [k / 2000 for k in range(1, 100)]
    shown = next(gain for gain in gains if p_alone(run(gain)) <= LEVEL)
    many = '"data.seed" = {from = 1, to = 60, steps = 60}\n'
    names = [f"seed-{k}" for k in range(1, 61)]
    found = gathered(many, {name: run(shown if name == "seed-1" else 0.0) for name in names})
    versus = row_of(found, "seed-1").students.versus["accuracy"]
    assert run(shown).named("soft-T4-mlp4").versus["accuracy"].verdict == "better"
    assert versus.verdict == "no difference shown"
    assert found.verdicts("accuracy", "better") == []
    assert undecided(found, "accuracy") == 60
    power, alone = versus.detectable, run(shown).named("soft-T4-mlp4").versus["accuracy"].detectable
    assert power is not None
    assert alone is not None
    assert power > alone


def test_rows_keep_no_values_of_examples(gathered: Gathered) -> None:
    found = gathered(SEEDS, {name: run() for name in NAMES})
    assert [dict(row.students.values) for row in found.rows] == [{}] * 6


def test_verdicts_are_listed_with_the_largest_difference_first(gathered: Gathered) -> None:
    gains = {"seed-1": 0.05, "seed-2": 0.12, "seed-3": -0.08}
    found = gathered(SEEDS, {name: run(gain) for name, gain in gains.items()})
    assert [row.run for row in found.verdicts("accuracy", "better")] == ["seed-2", "seed-1"]
    assert [row.run for row in found.verdicts("accuracy", "worse")] == ["seed-3"]
    assert undecided(found, "accuracy") == 0
    assert undecided(found, "nll") == 3


def test_what_is_known_of_each_run(gathered: Gathered) -> None:
    without = evidence(students("labels", 0.7), students("soft", 0.7))
    found = gathered(SEEDS, {"seed-1": run(), "seed-2": without, "seed-3": run()})
    assert {name: round(mean, 6) for name, mean in found.teachers.items()} == {"seed-1": 0.9, "seed-3": 0.9}
    assert found.bayes == {}
    assert found.keys == ["data.seed"]
    assert [dict(row.varied) for row in found.rows[::2]] == [{"data.seed": k} for k in (1, 2, 3)]


def test_the_best_has_the_largest_accuracy_on_validation_examples(gathered: Gathered) -> None:
    gains = {"seed-1": 0.05, "seed-2": 0.12, "seed-3": -0.08}
    found = gathered(SEEDS, {name: run(gain) for name, gain in gains.items()})
    assert (found.best.run, found.best.treatment) == ("seed-2", "soft")
    assert found.best is row_of(found, "seed-2")
    assert found.best.validation == max(row.validation or 0 for row in found.rows)


def test_the_best_is_not_chosen_by_test_examples(gathered: Gathered) -> None:
    upside_down = evidence(
        students("labels", 0.8),
        students("soft", 0.9),
        on_validation=lambda folder, metric: 0.97 if folder == "labels-mlp4" else 0.5,
    )
    found = gathered(SEEDS, {"seed-1": run(0.15), "seed-2": upside_down, "seed-3": run()})
    assert (found.best.run, found.best.treatment) == ("seed-2", "labels")


TEMPERATURES = '"students.temperatures" = [1.0, 4.0]\n'


def test_what_varies_between_runs_names_no_treatment(gathered: Gathered) -> None:
    runs = {
        f"temperatures-{T}": evidence(students("labels", 0.8), students("soft", 0.8, temperature=float(T)))
        for T in (1, 4)
    }
    assert gathered(TEMPERATURES, runs).treatments == ["labels", "soft"]


def test_temperatures_within_a_run_name_treatments(gathered: Gathered) -> None:
    several = evidence(
        students("labels", 0.8),
        students("soft", 0.8, temperature=1.0),
        students("soft", 0.8, temperature=4.0),
        students("hard", 0.8),
    )
    found = gathered('"data.seed" = [1]\n', {"seed-1": several})
    assert found.treatments == ["labels", "soft, T = 1", "soft, T = 4", "hard"]


def test_a_treatment_has_one_name_in_all_runs(gathered: Gathered) -> None:
    several = evidence(
        students("labels", 0.8),
        students("soft", 0.8, temperature=1.0),
        students("soft", 0.8, temperature=4.0),
    )
    found = gathered('"data.seed" = [1, 2]\n', {"seed-1": several, "seed-2": run()})
    assert found.treatments == ["labels", "soft, T = 1", "soft, T = 4"]


def test_models_within_a_run_name_treatments_and_between_runs_do_not(gathered: Gathered) -> None:
    both = evidence(
        *(students(target, 0.8, model=m) for m in ("mlp:4", "tree") for target in ("labels", "soft"))
    )
    found = gathered('"data.seed" = [1]\n', {"seed-1": both})
    assert sorted(found.treatments) == ["labels (mlp:4)", "labels (tree)", "soft (mlp:4)", "soft (tree)"]
    assert found.treatments[0].startswith("labels")
    assert found.treatments[1].startswith("labels")


def test_models_that_vary_between_runs(gathered: Gathered) -> None:
    runs = {f"models-{m.replace(':', '-')}": run(model=m) for m in ("mlp:4", "tree")}
    found = gathered('"students.models" = ["mlp:4", "tree"]\n', runs)
    assert found.treatments == ["labels", "soft"]
    assert [entry.value for entry in by_value(found, "models")] == ["mlp:4", "tree"] * 2


def test_runs_that_are_not_there_or_cannot_be_read_are_told(gathered: Gathered) -> None:
    error = KdError("it is damaged", "make it again")
    found = gathered(SEEDS, {"seed-1": None, "seed-2": error, "seed-3": run(0.1)})
    assert list(found.missing) == ["seed-1"]
    assert dict(found.unread) == {"seed-2": ("it is damaged", "make it again")}
    assert {row.run for row in found.rows} == {"seed-3"}
    assert found.tests == 2


def test_a_set_that_cannot_be_measured_on_validation_examples_leaves_out_its_run(gathered: Gathered) -> None:
    def fails(folder: str, metric: str) -> float:
        raise KdError("its model is damaged", "train it again")

    damaged = evidence(students("labels", 0.8), students("soft", 0.8), on_validation=fails)
    found = gathered(SEEDS, {"seed-1": run(), "seed-2": damaged, "seed-3": run()})
    assert dict(found.unread) == {"seed-2": ("its model is damaged", "train it again")}
    assert "seed-2" not in {row.run for row in found.rows}


def test_without_any_run_there_is_no_evidence(gathered: Gathered) -> None:
    with pytest.raises(KdError, match="no run of the study many can be compared"):
        gathered(SEEDS, dict.fromkeys(NAMES))


PLANE = '"data.seed" = [1, 2]\n"students.temperatures" = [1.0, 4.0]\n'


def plane(gathered: Gathered) -> StudyEvidence:
    """Compare four runs, with gains of 10 and 2 points for the seed 1, and of −6 and 0 for the seed 2."""
    gains = {
        "seed-1_temperatures-1": 0.1,
        "seed-1_temperatures-4": 0.02,
        "seed-2_temperatures-1": -0.06,
        "seed-2_temperatures-4": 0.0,
    }
    return gathered(PLANE, {name: run(gain) for name, gain in gains.items()})


def test_averages_by_the_values_of_a_key(gathered: Gathered) -> None:
    found = plane(gathered)
    labels_1, labels_2, soft_1, soft_2 = by_value(found, "seed")
    assert [(e.value, e.treatment, e.runs) for e in (labels_1, labels_2, soft_1, soft_2)] == [
        (1, "labels", 2),
        (2, "labels", 2),
        (1, "soft", 2),
        (2, "soft", 2),
    ]
    assert (labels_1.gain, labels_1.interval, labels_1.better) == (None, None, 0)
    assert soft_1.gain == pytest.approx(0.06, abs=0.005)
    assert soft_2.gain == pytest.approx(-0.03, abs=0.005)
    assert soft_1.accuracy == pytest.approx(0.86, abs=0.005)
    assert (soft_1.better, soft_1.worse, soft_2.worse) == (2, 0, 1)
    for entry in (soft_1, soft_2):
        rows = [r for r in found.rows if r.treatment == "soft" and r.varied["data.seed"] == entry.value]
        versus = [row.students.versus["accuracy"] for row in rows]
        assert entry.gain == pytest.approx(fmean(v.gain for v in versus))
        intervals = [v.gain_interval for v in versus if v.gain_interval]
        assert entry.interval == pytest.approx(tuple(map(fmean, zip(*intervals, strict=True))))


def test_a_gain_in_a_metric_that_is_better_when_smaller(gathered: Gathered) -> None:
    lower = evidence(students("labels", 0.8, nll=0.5), students("soft", 0.8, nll=0.4))
    found = gathered('"data.seed" = [1]\n', {"seed-1": lower})
    (_, soft) = by_value(found, "data.seed", "nll")
    assert soft.gain == pytest.approx(0.1, abs=0.005)
    assert soft.interval is not None
    assert soft.interval[0] < soft.gain < soft.interval[1]
    assert (soft.better, soft.worse) == (1, 0)


def test_averages_by_a_key_that_not_all_runs_have(gathered: Gathered) -> None:
    vary = '"data.seed" = [1, 2]\n[[vary]]\n"students.smoothing" = [0.3]\n'
    gains = {"seed-1": 0.1, "seed-2": 0.0, "smoothing-0.3": 0.05}
    found = gathered(vary, {name: run(gain) for name, gain in gains.items()})
    assert found.keys == ["data.seed", "students.smoothing"]
    assert [(e.value, e.treatment, e.runs) for e in by_value(found, "seed")][3:] == [
        (1, "soft", 1),
        (2, "soft", 1),
        (0, "soft", 1),
    ]
    assert [(e.value, e.treatment, e.runs) for e in by_value(found, "smoothing")] == [
        (0.1, "labels", 2),
        (0.3, "labels", 1),
        (0.1, "soft", 2),
        (0.3, "soft", 1),
    ]


def test_by_a_key_that_does_not_vary(gathered: Gathered) -> None:
    found = plane(gathered)
    for key in ("noise", "data.n_samples", ""):
        with pytest.raises(UsageError, match="no varied key has this name") as problem:
            by_value(found, key)
        assert problem.value.hint == "varied keys: data.seed, students.temperatures"
