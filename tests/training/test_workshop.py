from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from kdcli.losses import distillation_loss
from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.mlp import MLP
from kdcli.progress import unwatched
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.store import Store
from kdcli.training import workshop
from kdcli.training.parts import Part
from kdcli.training.resuming import ResumePoints
from kdcli.training.workshop import NotFiniteError, TrainingWorkshop, objective_of
from kdcli.workers import Result

X = torch.randn(100, 2, generator=generator("x", 0))
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).double()
SOFT = (torch.stack([-X[:, 0], X[:, 0]], 1) / 2).double().softmax(1)
SEEDS = [3, 5, 8]


def teaching(draws: int = 1, **changed: float) -> Teaching:
    """Return the targets of two sets in several draws, which share the last 20 examples as a test set."""
    order = torch.stack([torch.randperm(80, generator=generator("draw", draw)) for draw in range(draws)])
    index = {"train": order[:, :60], "val": order[:, 60:], "test": torch.arange(80, 100).unsqueeze(0)}
    taught = ("train", "val")
    return Teaching(
        x=X,
        index=index,
        labels={split: LABELS[index[split]] for split in taught},
        lessons=[
            Lesson({split: of[index[split]] for split in taught}, 4.0 if of is SOFT else 1.0, **changed)
            for of in (LABELS, SOFT)
        ],
        seeds=SEEDS,
        role="student",
        predicted=["test"],
    )


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., list[Fitted]]:
    calls = count()  # none resumes the training of another

    def by_gradients(taught: Teaching, *, keep_going: bool = False, **settings: float) -> list[Fitted]:
        training = TrainingWorkshop(
            training=Training(**{"epochs": 5, **settings}),  # type: ignore[arg-type]
            title="students",
            name_member=lambda k, seed, draw: f"set {k} (seed {seed} of draw {draw})",
            open_display=unwatched,
            points=ResumePoints(Store(tmp_path).run("made"), "students"),
            identity={"call": next(calls)},
            keep_going=keep_going,
        )
        return list(MLP((4,)).train(taught, training))

    return by_gradients


@pytest.mark.parametrize("draws", [1, 2])
def test_a_set_holds_a_member_for_each_seed_of_each_draw(
    train: Callable[..., list[Fitted]], draws: int
) -> None:
    taught = teaching(draws)
    labels, soft = train(taught)
    for fitted, lesson in zip((labels, soft), taught.lessons, strict=True):
        assert fitted.seeds == SEEDS
        assert fitted.logits["test"].shape == (draws, 3, 20, 2)
        assert fitted.tensors["weights.0"].shape == (draws, 3, 4, 2)
        assert fitted.history is not None
        assert fitted.history.train.shape == (draws, 3, 6)
        assert fitted.used == {"device": "cpu", "precision": "float32", "threads": "1"}
        assert fitted.lost == {}
        flat = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
        stack = MLP((4,)).restore(flat, (2,), 2, draws * 3)
        predicted = stack.predict(X, taught.index["test"]).unflatten(0, (draws, 3))
        torch.testing.assert_close(predicted, fitted.logits["test"])
        logits = stack.predict(X, taught.index["train"]).unflatten(0, (draws, 3)).mT
        losses = distillation_loss(logits, lesson.targets["train"].mT.unsqueeze(1), lesson.temperature)
        torch.testing.assert_close(fitted.history.train[:, :, -1], losses)
    assert not torch.equal(labels.tensors["weights.0"], soft.tensors["weights.0"])


@pytest.mark.parametrize("batch_size", [0, 16])
def test_the_first_of_several_draws_is_trained_as_the_only_one_is(
    train: Callable[..., list[Fitted]], batch_size: int
) -> None:
    for alone, several in zip(
        train(teaching(1), batch_size=batch_size), train(teaching(3), batch_size=batch_size), strict=True
    ):
        for name, tensor in alone.tensors.items():
            torch.testing.assert_close(several.tensors[name][:1], tensor, rtol=1e-4, atol=1e-5)
            assert not torch.allclose(several.tensors[name][1], tensor[0])
        torch.testing.assert_close(several.logits["test"][:1], alone.logits["test"], rtol=1e-4, atol=1e-5)
        assert alone.history is not None
        assert several.history is not None
        torch.testing.assert_close(several.history.val[:1], alone.history.val, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [0, 16])
def test_examples_count_by_their_weights(train: Callable[..., list[Fitted]], batch_size: int) -> None:
    plain = teaching(2)
    ones = {split: torch.ones(labels.shape[:2]).double() for split, labels in plain.labels.items()}
    of_first = {split: labels[..., 0] for split, labels in plain.labels.items()}  # the other class counts not
    equal, one_class = (
        train(replace(plain, weights=weights), batch_size=batch_size, epochs=40, learning_rate=0.05)
        for weights in (ones, of_first)
    )
    for fitted, same in zip(
        train(plain, batch_size=batch_size, epochs=40, learning_rate=0.05), equal, strict=True
    ):
        assert torch.equal(fitted.logits["test"], same.logits["test"])
    assert bool((one_class[0].logits["test"].argmax(-1) == 0).all())
    losses = [fitted.history for fitted in (equal[0], one_class[0])]
    assert all(history is not None for history in losses)
    assert float(losses[1].val[..., -1].max()) < 0.1 < float(losses[0].val[..., 0].min())  # type: ignore[union-attr]


def test_outputs_that_overflow_on_other_data_are_refused_or_left_out(
    train: Callable[..., list[Fitted]],
) -> None:
    taught = replace(teaching(), x=torch.cat([X[:80], torch.full((20, 2), torch.inf)]))
    with pytest.raises(NotFiniteError, match=r"the output of set 0 .* and 3 more is not") as stopped:
        train(taught, learning_rate=0.5)
    assert stopped.value.everyone
    assert stopped.value.hint == "nothing of it was written; try a smaller step than --learning-rate 0.5"
    for fitted in train(taught, keep_going=True):
        assert (fitted.seeds, fitted.lost) == ([], {"overflowed": SEEDS})
        assert fitted.tensors["weights.0"].shape == (1, 0, 4, 2)


def test_losses_that_diverge_are_refused_or_left_out(train: Callable[..., list[Fitted]]) -> None:
    with pytest.raises(NotFiniteError, match=r"the loss of set 0 .* became non-finite"):
        train(teaching(), learning_rate=1e30)
    for fitted in train(teaching(), learning_rate=1e30, keep_going=True):
        assert (fitted.seeds, fitted.lost) == ([], {"diverged": SEEDS})


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let members come out of training without finite outputs or losses; a call sets which.

    They are named by set, seed and draw.
    """
    train_part = workshop.train_part
    lost: dict[str, Sequence[tuple[int, int, int]]] = {}

    def part(task: Mapping[str, Any], *rest: Any) -> Result:
        result, made = train_part(task, *rest), Part.from_record(task)
        for k in range(made.members):
            if made.member(k) in lost["overflowed"]:
                result.tensors["logits.test"][k, 7] = torch.inf
            if made.member(k) in lost["diverged"]:
                result.tensors["curve.val"][k, 3:] = torch.nan
        return result

    def losing(**members: Sequence[tuple[int, int, int]]) -> None:
        lost.update({"overflowed": (), "diverged": (), **members})

    monkeypatch.setattr(workshop, "train_part", part)
    return losing


def test_a_seed_that_is_lost_in_one_draw_is_left_out_of_all(
    train: Callable[..., list[Fitted]], lose: Callable[..., None]
) -> None:
    lose()
    whole = train(teaching(3), keep_going=True)
    lose(overflowed=[(0, 5, 2)], diverged=[(1, 8, 0)])
    labels, soft = train(teaching(3), keep_going=True)
    assert (labels.seeds, labels.lost) == ([3, 8], {"overflowed": [5]})
    assert (soft.seeds, soft.lost) == ([3, 5], {"diverged": [8]})
    for before, after, kept in zip(whole, (labels, soft), ([0, 2], [0, 1]), strict=True):
        for name, tensor in before.tensors.items():
            assert torch.equal(after.tensors[name], tensor[:, kept])
        assert torch.equal(after.logits["test"], before.logits["test"][:, kept])
        assert before.history is not None
        assert after.history is not None
        assert torch.equal(after.history.val, before.history.val[:, kept])


def test_a_seed_that_is_lost_in_several_draws_is_told_once(
    train: Callable[..., list[Fitted]], lose: Callable[..., None]
) -> None:
    lose(overflowed=[(0, 5, 0), (0, 5, 1), (0, 3, 2)], diverged=[(0, 5, 2)])
    labels, soft = train(teaching(3), keep_going=True)
    assert (labels.seeds, labels.lost) == ([8], {"diverged": [5], "overflowed": [3]})
    assert (soft.seeds, soft.lost) == (SEEDS, {})


def test_the_member_that_stops_a_training_is_named_with_its_draw(
    train: Callable[..., list[Fitted]], lose: Callable[..., None]
) -> None:
    lose(overflowed=[(1, 5, 2)])
    with pytest.raises(NotFiniteError, match=r"the output of set 1 \(seed 5 of draw 2\) is not") as stopped:
        train(teaching(3))
    assert not stopped.value.everyone
    assert stopped.value.hint.endswith("or drop such seeds with --keep-going")


@pytest.mark.parametrize("draws", [1, 3])
def test_the_objective_of_a_stack_has_what_each_set_is_taught_in_each_draw(draws: int) -> None:
    taught = teaching(draws)
    objective = objective_of(taught, "val")
    assert objective.target.shape == (draws, 1, 2, 2, 20)
    assert objective.labels.shape == (draws, 1, 1, 2, 20)
    for draw, rows in enumerate(taught.index["val"]):
        assert torch.equal(objective.target[draw, 0, 0].T, LABELS[rows])
        assert torch.equal(objective.target[draw, 0, 1].T, SOFT[rows])
        assert torch.equal(objective.labels[draw, 0, 0].T, LABELS[rows])
    assert objective.temperature.flatten().tolist() == [1, 4]
    assert objective.label_weight is None
    weights = objective_of(teaching(draws, label_weight=0.25), "train").label_weight
    assert weights is not None
    assert weights.flatten().tolist() == [0.25, 0.25]


FEATURES = {
    "of very different sizes": torch.cat(
        [X * torch.tensor([1e6, 1e-3]) + torch.tensor([5e6, 2e-3]), torch.full((100, 1), 1e6)], 1
    ),
    "bytes": (40 * X + 128).clamp(0, 255).to(torch.uint8),
}


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize(("draws", "batch_size"), [(1, 0), (2, 0), (2, 16)])
def test_standardising_is_training_on_what_is_standardised_by_hand(
    train: Callable[..., list[Fitted]], kind: str, draws: int, batch_size: int
) -> None:
    """Each draw is scaled by its own training examples; the trained models take raw features."""
    x = FEATURES[kind]
    taught = replace(teaching(draws), x=x, standardise=True)
    by_draw = []
    for rows in taught.index["train"]:
        deviation = x[rows].double().std(0, correction=0)
        by_draw.append((x.double() - x[rows].double().mean(0)) / deviation.where(deviation > 0, 1.0))
    offsets = 100 * torch.arange(draws).unsqueeze(1)
    index = {split: rows + offsets for split, rows in taught.index.items()}
    by_hand = replace(taught, x=torch.cat(by_draw).float(), index=index, standardise=False)
    settings: dict[str, float] = {"epochs": 20, "batch_size": batch_size, "learning_rate": 0.02}
    made, expected = train(taught, **settings), train(by_hand, **settings)
    for ours, theirs in zip(made, expected, strict=True):
        assert ours.history is not None
        assert theirs.history is not None
        torch.testing.assert_close(ours.history.train, theirs.history.train, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.history.val, theirs.history.val, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.logits["test"], theirs.logits["test"], rtol=1e-3, atol=1e-3)
        flat = {name: tensor.flatten(0, 1) for name, tensor in ours.tensors.items()}
        stack = MLP((4,)).restore(flat, taught.features, 2, draws * 3)
        predicted = stack.predict(x, taught.index["test"]).unflatten(0, (draws, 3))
        torch.testing.assert_close(predicted, ours.logits["test"])


def test_the_scaling_does_not_look_beyond_the_training_examples(train: Callable[..., list[Fitted]]) -> None:
    taught = replace(teaching(), standardise=True)
    other = X.clone()
    other[taught.index["test"][0]] *= 100
    for one, two in zip(train(taught), train(replace(taught, x=other)), strict=True):
        assert all(torch.equal(tensor, two.tensors[name]) for name, tensor in one.tensors.items())
        assert not torch.equal(one.logits["test"], two.logits["test"])
