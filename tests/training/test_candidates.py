import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness import Kd, forge, interrupted_after_one_write, opened, students
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn.functional import cross_entropy

from kdcli.models.family import Fitted
from kdcli.runs.recipe import Students
from kdcli.runs.stored import Data
from kdcli.runs.student_sets import StudentSet, student_sets
from kdcli.targets import CANDIDATES
from kdcli.training import candidates
from kdcli.training.candidates import candidates_of, chooses, chosen

LABELS, SOFT, AUTO = student_sets(Students(targets=("labels", "soft"), temperatures=(2.0, "auto")))
TEMPERATURES = CANDIDATES["temperatures"]
AT = dict(zip(TEMPERATURES, candidates_of([AUTO]), strict=True))


def trained(surety: float, data: Data, **changed: Any) -> Fitted:
    """Two students of each draw with these probabilities of the validation labels, and no other logits."""
    labels = torch.stack([data.pool.labels("val", draw) for draw in range(data.draws)])
    logits = surety * torch.nn.functional.one_hot(labels, data.n_classes).double()
    fitted = Fitted([0, 1], {}, {"val": logits.unsqueeze(1).expand(-1, 2, -1, -1)}, seconds=1.0)
    return replace(fitted, **changed)


def choice(fitted: Mapping[float, Fitted], data: Data) -> float | None:
    made = chosen([AUTO], [(AT[temperature], fitted[temperature]) for temperature in TEMPERATURES], data)
    ((_, student_set, _),) = made
    return student_set.chosen


def validation_nll(folder: Path, name: str, split: str = "val") -> float:
    """The mean NLL of a stored set's students on a split."""
    stored = students(folder, name)
    stack, data = stored.load_model(), stored.experiment.data
    losses = [
        cross_entropy(stored.member(stack, seed, draw).predict(examples.x)[0].double(), examples.y)
        for draw in range(data.draws)
        for examples in [data.pool.split(split, draw)]
        for seed in range(stored.seeds)
    ]
    return float(torch.stack(losses).mean())


def test_what_is_trained_is_each_temperature_once() -> None:
    assert candidates_of([LABELS, SOFT]) == [LABELS, SOFT]
    assert [candidate.temperature for candidate in candidates_of([AUTO])] == list(TEMPERATURES)
    assert candidates_of([SOFT, AUTO]) == [SOFT, AT[1.0], AT[4.0], AT[8.0]]
    made = replace(AUTO, chosen=4.0)
    assert candidates_of([made]) == [AT[4.0]]
    assert [chooses(student_set) for student_set in (LABELS, SOFT, AUTO, made)] == [False, False, True, False]


def test_a_set_comes_as_soon_as_its_candidates_are_trained(tiny: Path) -> None:
    data = opened(tiny).data
    coming: list[StudentSet] = []

    def training() -> Any:
        for candidate in candidates_of([AUTO, LABELS, SOFT]):
            coming.append(candidate)
            yield candidate, trained(candidate.temperature, data)

    seen = [
        (wanted, len(coming), made.temperature, fitted.seconds)
        for wanted, made, fitted in chosen([AUTO, LABELS, SOFT], training(), data)
    ]
    assert seen == [(SOFT, 2, 2.0, 1.0), (AUTO, 4, 8.0, 4.0), (LABELS, 5, 1.0, 1.0)]


def test_the_least_mean_nll_is_chosen_the_first_of_equals(two_draws: Path) -> None:
    data = opened(two_draws).data
    sureties = dict(zip(TEMPERATURES, (1.0, 3.0, 3.0, 2.0), strict=True))
    fitted = {temperature: trained(surety, data) for temperature, surety in sureties.items()}
    assert choice(fitted, data) == 2.0
    worse_in_a_draw = fitted[2.0].logits["val"].clone()
    worse_in_a_draw[1] = -worse_in_a_draw[1]
    assert choice({**fitted, 2.0: replace(fitted[2.0], logits={"val": worse_in_a_draw})}, data) == 4.0


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_never_chosen_before_what_is(tiny: Path, value: float) -> None:
    data = opened(tiny).data
    fitted = {temperature: trained(9.0 - temperature, data) for temperature in TEMPERATURES}
    assert choice(fitted, data) == 1.0
    broken = fitted[1.0].logits["val"].clone()
    broken[0, 1, 3, data.pool.labels("val", 0)[3]] = value
    assert choice({**fitted, 1.0: replace(fitted[1.0], logits={"val": broken})}, data) == 2.0


def test_a_temperature_that_lost_seeds_is_chosen_only_if_all_did(tiny: Path) -> None:
    data = opened(tiny).data
    fitted = {temperature: trained(9.0 - temperature, data) for temperature in TEMPERATURES}

    def lacking(fitted: Fitted, seeds: Sequence[int]) -> Fitted:
        logits = {"val": fitted.logits["val"][:, list(seeds)]}
        return replace(fitted, seeds=seeds, logits=logits, lost={"diverged": [0, 1][len(seeds) :]})

    assert choice({**fitted, 1.0: lacking(fitted[1.0], [0])}, data) == 2.0
    nobody = {temperature: lacking(of_candidate, []) for temperature, of_candidate in fitted.items()}
    assert choice(nobody, data) == 1.0
    assert choice({**nobody, 8.0: lacking(fitted[8.0], [0])}, data) == 8.0


@pytest.mark.parametrize("model", ["mlp:4", "tree:max_leaf_nodes=4"])
def test_the_temperature_chosen_is_that_of_the_best_set_trained_alone(
    kd: Kd, one_or_two_draws: Path, model: str
) -> None:
    folder, slug = one_or_two_draws, "mlp4" if model == "mlp:4" else "tree-leaves4"
    assert kd("distill", "-t", "soft", "-T", "auto", "--model", model).code == 0
    for temperature in TEMPERATURES:
        assert kd("distill", "-t", "soft", "-T", f"{temperature:g}", "--model", model).code == 0
    losses = {t: validation_nll(folder, f"soft-T{t:g}-{slug}") for t in TEMPERATURES}
    best = min(losses, key=lambda temperature: losses[temperature])
    assert len(set(losses.values())) == len(losses)
    made = students(folder, f"soft-Tauto-{slug}")
    assert made.set.chosen == best
    assert made.meta.config["temperature"] == "auto"
    alone = students(folder, f"soft-T{best:g}-{slug}")
    assert made.metrics.keys() == alone.metrics.keys()
    for name, value in alone.load_tensors().items():
        torch.testing.assert_close(made.load_tensors()[name], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.load_tested(), alone.load_tested(), rtol=1e-3, atol=1e-4)


def test_the_choice_does_not_see_the_test_split(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "-t", "soft", "-T", "auto,1,2,4,8").code == 0
    before = students(tiny, "soft-Tauto-mlp4")
    tensors = load_file(tiny / "data/tensors.safetensors")
    of_test = opened(tiny).data.pool.index["test"].flatten()
    tensors["y"][of_test] = students(tiny, "soft-T8-mlp4").load_tested()[0, 0].argmax(1)
    forge(tiny / "data", {"tensors.safetensors": save(tensors)})
    assert kd("distill", "-t", "soft", "-T", "auto,1,2,4,8", "--force", "--seeds", "3").code == 0
    assert kd("distill", "-t", "soft", "-T", "auto,1,2,4,8", "--force", "--seeds", "2").code == 0
    after = students(tiny, "soft-Tauto-mlp4")
    assert after.set == before.set
    assert after.metrics["accuracy"] != before.metrics["accuracy"]
    assert torch.equal(after.load_tested(), before.load_tested())
    on_test = {t: validation_nll(tiny, f"soft-T{t:g}-mlp4", "test") for t in TEMPERATURES}
    assert min(on_test, key=lambda temperature: on_test[temperature]) != after.set.chosen


def test_candidates_that_are_asked_for_as_well_are_trained_once(kd: Kd, tiny: Path) -> None:
    outcome = kd("distill", "-t", "labels,soft", "-T", "auto,2,8", "--model", "mlp:3", "--json")
    document = json.loads(outcome.out)
    assert document["students_trained"] == 2 * (1 + 4)
    names = ["labels-mlp3", "soft-Tauto-mlp3", "soft-T2-mlp3", "soft-T8-mlp3"]
    assert [item["name"] for item in document["students"]] == names
    kd("distill", "-t", "labels,soft", "-T", "1,2,4,8", "--model", "mlp:3", "--force", "--seeds", "2")
    made = students(tiny, "soft-Tauto-mlp3")
    same = students(tiny, f"soft-T{made.set.temperature:g}-mlp3")
    torch.testing.assert_close(made.load_tested(), same.load_tested(), rtol=1e-3, atol=1e-4)
    assert "up to date" in kd("distill", "-t", "soft", "-T", "auto", "--model", "mlp:3").out


@pytest.fixture
def other_choice(tiny: Path, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of one seed that could choose no temperature but 3."""
    with monkeypatch.context() as context:
        context.setattr(candidates, "CANDIDATES", {"temperatures": (3.0,)})
        assert kd("distill", "-t", "soft", "-T", "auto", "--seeds", "1").code == 0
    assert students(tiny, "soft-Tauto-mlp4").set.chosen == 3
    return tiny


def test_further_seeds_keep_the_temperature_that_was_chosen(kd: Kd, other_choice: Path) -> None:
    document = json.loads(kd("distill", "-t", "soft", "-T", "auto,3", "--seeds", "3", "--json").out)
    assert document["students_trained"] == 2 + 3  # the chosen temperature alone, and the other set
    made, alone = (students(other_choice, f"soft-T{name}-mlp4") for name in ("auto", "3"))
    assert (made.set.chosen, made.set.seeds) == (3, (0, 1, 2))
    torch.testing.assert_close(made.load_tested(), alone.load_tested(), rtol=1e-3, atol=1e-4)


def test_a_set_that_is_made_anew_chooses_anew(kd: Kd, other_choice: Path) -> None:
    assert kd("distill", "-t", "soft", "-T", "auto", "--seeds", "2", "--force").code == 0
    assert students(other_choice, "soft-Tauto-mlp4").set.chosen in TEMPERATURES


def test_a_choice_that_was_cut_off_ends_as_if_it_had_not_been(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("distill", "-t", "soft,labels", "-T", "8,auto", "--model", "mlp:7", "--seeds", "3")
    assert kd("distill", "-t", "soft", "-T", "8", "--model", "mlp:7", "--seeds", "3").code == 0
    assert kd(*command).code == 0
    names = [f"{name}-mlp7" for name in ("soft-Tauto", "labels")]

    def tensors() -> list[Tensor]:
        return [students(tiny, name).load_tested() for name in names]

    before, made = tensors(), students(tiny, names[0]).set
    for name in names:
        for file in (tiny / "students" / name).iterdir():
            file.unlink()
        (tiny / "students" / name).rmdir()
    with interrupted_after_one_write(monkeypatch) as stored:
        assert kd(*command).code == 130
    assert stored == [f"students/{names[0]}"]
    assert (tiny / ".resume/students-mlp7.0").is_file()
    assert kd(*command).out.count("up to date") == 2
    assert students(tiny, names[0]).set == made
    assert all(torch.equal(*pair) for pair in zip(before, tensors(), strict=True))
    assert not (tiny / ".resume").exists()


def test_a_chosen_temperature_is_told_wherever_the_set_is(kd: Kd, tiny: Path) -> None:
    out = kd("distill", "-t", "soft,labels", "-T", "auto").out
    temperature = f"{students(tiny, 'soft-Tauto-mlp4').set.temperature:g}"
    assert f"soft, T = {temperature} (auto)" in out
    assert f"soft, T = {temperature} (auto)" in kd("compare").out
    assert f"soft, T = {temperature} (auto), mlp:4" in " ".join(kd("show").out.split())
    rows = json.loads(kd("compare", "--json").out)["students"]
    assert {row["name"]: (row["temperature"], row["auto_temperature"]) for row in rows} == {
        "labels-mlp4": (1.0, False),
        "soft-T4-mlp4": (4.0, False),
        "soft-Tauto-mlp4": (float(temperature), True),
    }
    assert (
        f"\ntiny,soft-Tauto-mlp4,mlp:4,soft,{float(temperature)},True,,,mlp:4,2,"
        in kd("compare", "--csv").out
    )
    assert kd("check").code == 0


def test_the_smoothing_that_is_best_on_validation_examples_is_kept(kd: Kd, tiny: Path) -> None:
    tried = CANDIDATES["smoothing"]
    assert kd("distill", "-t", "smooth", "--smoothing", "auto", "--model", "mlp:3").code == 0
    for value in tried:
        assert kd("distill", "-t", "smooth", "--smoothing", f"{value}", "--model", "mlp:3").code == 0
    losses = {value: validation_nll(tiny, f"smooth-e{value:g}-mlp3") for value in tried}
    made = students(tiny, "smooth-eauto-mlp3")
    assert made.set.chosen == made.set.smoothing == min(losses, key=lambda value: losses[value])
    same = students(tiny, f"smooth-e{made.set.smoothing:g}-mlp3")
    torch.testing.assert_close(made.load_tested(), same.load_tested(), rtol=1e-3, atol=1e-4)
    rows = json.loads(kd("compare", "--json").out)["students"]
    (row,) = [row for row in rows if row["name"] == "smooth-eauto-mlp3"]
    assert (row["smoothing"], row["auto_temperature"]) == (made.set.smoothing, False)
    assert kd("check").code == 0


def test_what_is_neither_a_number_nor_auto_is_refused(kd: Kd, tiny: Path) -> None:
    for value, words in (
        ("nought", "must be a number or auto, not 'nought'"),
        ("1", "must be above 0 and below 1"),
    ):
        outcome = kd("distill", "-t", "smooth", "--smoothing", value)
        assert outcome.code == 2
        assert f"--smoothing: {words}" in outcome.err
