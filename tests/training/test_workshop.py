from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.mlp import MLP
from kdcli.progress import unwatched
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.store import Store
from kdcli.training.resuming import ResumePoints
from kdcli.training.workshop import NotFiniteError, TrainingWorkshop, objective_of

X = torch.randn(60, 2, generator=generator("x", 0))
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).double()
SOFT = (torch.stack([-X[:, 0], X[:, 0]], 1) / 2).double().softmax(1)


def teaching(test: torch.Tensor = X, **changed: float) -> Teaching:
    targets = {"labels": LABELS, "soft": SOFT}
    return Teaching(
        x={"train": X, "val": X[:20], "test": test},
        labels={"train": LABELS, "val": LABELS[:20]},
        lessons=[
            Lesson({"train": of, "val": of[:20]}, 4.0 if name == "soft" else 1.0, **changed)
            for name, of in targets.items()
        ],
        seeds=[3, 5, 8],
        role="student",
        predicted=["test"],
    )


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., list[Fitted]]:
    def by_gradients(taught: Teaching, *, keep_going: bool = False, **settings: float) -> list[Fitted]:
        workshop = TrainingWorkshop(
            training=Training(**{"epochs": 5, **settings}),  # type: ignore[arg-type]
            title="students",
            name_member=lambda k, seed: f"set {k} (seed {seed})",
            open_display=unwatched,
            points=ResumePoints(Store(tmp_path).run("made"), "students"),
            identity={"test": [settings, keep_going]},
            keep_going=keep_going,
        )
        return list(MLP((4,)).train(taught, workshop))

    return by_gradients


def test_a_set_holds_a_member_for_each_seed(train: Callable[..., list[Fitted]]) -> None:
    labels, soft = train(teaching())
    for fitted in (labels, soft):
        assert fitted.seeds == [3, 5, 8]
        assert fitted.logits["test"].shape == (3, 60, 2)
        assert fitted.tensors["weights.0"].shape == (3, 4, 2)
        assert fitted.history is not None
        assert fitted.history.train.shape == (3, 6)
        assert fitted.used == {"device": "cpu", "precision": "float32", "threads": "1"}
        assert fitted.lost == {}
        predicted = MLP((4,)).restore(fitted.tensors, (2,), 2, 3).predict(X)
        torch.testing.assert_close(predicted, fitted.logits["test"])
    assert not torch.equal(labels.tensors["weights.0"], soft.tensors["weights.0"])


def test_outputs_that_overflow_on_other_data_are_refused_or_left_out(
    train: Callable[..., list[Fitted]],
) -> None:
    taught = teaching(test=torch.full((4, 2), torch.inf))
    with pytest.raises(NotFiniteError, match=r"the output of set 0 .* and 3 more is not") as stopped:
        train(taught, learning_rate=0.5)
    assert stopped.value.everyone
    assert stopped.value.hint == "nothing of it was written; try a smaller step than --learning-rate 0.5"
    for fitted in train(taught, keep_going=True):
        assert (fitted.seeds, fitted.lost) == ([], {"overflowed": [3, 5, 8]})
        assert len(fitted.tensors["weights.0"]) == 0


def test_losses_that_diverge_are_refused_or_left_out(train: Callable[..., list[Fitted]]) -> None:
    with pytest.raises(NotFiniteError, match=r"the loss of set 0 .* stopped being a finite"):
        train(teaching(), learning_rate=1e30)
    for fitted in train(teaching(), learning_rate=1e30, keep_going=True):
        assert (fitted.seeds, fitted.lost) == ([], {"diverged": [3, 5, 8]})


def test_the_objective_of_a_stack_has_what_each_set_is_taught() -> None:
    objective = objective_of(teaching(), "val")
    assert objective.target.shape == (2, 2, 20)
    assert torch.equal(objective.target[1].T, SOFT[:20])
    assert objective.temperature.flatten().tolist() == [1, 4]
    assert objective.label_weight is None
    weights = objective_of(teaching(label_weight=0.25), "train").label_weight
    assert weights is not None
    assert weights.flatten().tolist() == [0.25, 0.25]
