"""A family that no other file knows can do everything that a family can, as a teacher and as students."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import pytest
import torch
from harness import Kd, opened, students
from torch import Tensor

from kdcli import models
from kdcli.models import FAMILIES, Model, parse_model
from kdcli.models.cnn import CNN
from kdcli.models.family import Fitted, History, Lesson, Sizes, Teaching, Workshop
from kdcli.models.linear import Linear
from kdcli.models.mlp import MLP
from kdcli.models.network import Network
from kdcli.models.stack import Stack
from kdcli.models.tree import Tree


class StackedCentroids(Stack):
    """The mean example of each class, `means (members, n_classes, features)`; near is likely."""

    means: Tensor

    def __init__(self, means: Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means)
        self.members = len(means)

    def forward(self, x: Tensor) -> Tensor:
        batches = x.flatten(2).float().repeat_interleave(self.members // len(x), dim=0)
        return -torch.cdist(self.means, batches).square()


@dataclass(frozen=True)
class Centroid(Model):
    """Nearest centroid: each class's mean example, weighted by the probabilities that are taught."""

    SYNTAX: ClassVar[str] = "centroid"
    EXAMPLE: ClassVar[str] = "centroid"
    SEEDS: ClassVar[str] = "nothing"

    @classmethod
    def parse(cls, arguments: str) -> "Centroid":
        return cls()

    def __str__(self) -> str:
        return "centroid"

    @property
    def slug(self) -> str:
        return "centroid"

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        index, shape = teaching.index, (teaching.draws, len(teaching.seeds))
        x = teaching.x[index["train"]].flatten(2).float()
        for lesson in teaching.lessons:
            start = time.perf_counter()
            weights = lesson.targets["train"].float()
            of_draw = weights.mT @ x / weights.sum(1).unsqueeze(2)
            means = of_draw.unsqueeze(1).expand(*shape, -1, -1).clone()
            stack = StackedCentroids(means.flatten(0, 1))
            logits = {
                split: stack.predict(teaching.x, index[split]).unflatten(0, shape)
                for split in teaching.predicted
            }
            yield Fitted(teaching.seeds, {"means": means}, logits, time.perf_counter() - start)

    def restore(
        self, tensors: Mapping[str, Tensor], features: Sequence[int], n_classes: int, members: int
    ) -> StackedCentroids:
        return StackedCentroids(tensors["means"])

    def least_bytes(self, features: Sequence[int], n_classes: int, n_train: int) -> int:
        return 4 * n_classes * torch.Size(features).numel()

    def multiply_adds(self, features: Sequence[int], n_classes: int) -> int:
        return n_classes * torch.Size(features).numel()


@pytest.fixture
def centroid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FAMILIES", MappingProxyType({**FAMILIES, "centroid": Centroid}))


@pytest.mark.usefixtures("centroid")
@pytest.mark.parametrize("teacher", ["centroid", "tree:max_depth=4", "forest:3,max_depth=4"])
def test_any_family_teaches_any_other(kd: Kd, one_or_two_draws: Path, teacher: str) -> None:
    settings = ["--epochs", "5"] if parse_model(teacher).takes("epochs") else []
    assert kd("train-teacher", "--model", teacher, *settings, "--force").code == 0
    families = ("--model", "centroid", "--model", "tree:max_depth=2", "--model", "mlp:3")
    outcome = kd("distill", *families, "--target", "labels,hard,soft", "--epochs", "5")
    assert outcome.code == 0, outcome.err
    experiment = opened(one_or_two_draws)
    pool, trained = experiment.data.pool, experiment.teacher
    for name in ("labels-centroid", "soft-T4-centroid", "soft-T4-tree-depth2", "soft-T4-mlp3"):
        taught = students(one_or_two_draws, name)
        predicted = taught.load_model().predict(pool.x, pool.index["test"])
        torch.testing.assert_close(predicted, taught.load_tested().flatten(0, 1))
        assert ("epochs" in taught.meta.config) == (taught.load_history() is not None)
    assert (trained.load_history() is None) == (not trained.model.CURVES)
    stored = trained.load_model().predict(pool.x, pool.index["val"])
    torch.testing.assert_close(stored, trained.logits["val"])
    assert "up to date" in kd("train-teacher", "--model", teacher, *settings).out

    assert kd("compare").code == 0
    compared = kd("compare", "--json")
    assert compared.code == 0, compared.err
    document = json.loads(compared.out)
    costs = {students["name"]: students["cost"] for students in document["students"]}
    assert (costs["labels-centroid"]["parameters"], costs["labels-centroid"]["multiply_adds"]) == (4, 4)
    assert document["teacher"]["model"] == teacher
    plotted = kd("plot")
    assert plotted.code == 0, plotted.err
    assert kd("show").code == 0
    assert json.loads(kd("check", "--json").out)["damaged"] == 0
    more = json.loads(
        kd("distill", *families, "--target", "labels", "--epochs", "5", "--seeds", "3", "--json").out
    )
    assert more["students_trained"] == 3 * pool.draws


@pytest.mark.usefixtures("centroid")
def test_settings_that_a_family_does_not_take_are_refused_and_not_recorded(kd: Kd, tiny: Path) -> None:
    outcome = kd("train-teacher", "--model", "centroid", "--learning-rate", "0.1", "--schedule", "linear")
    assert outcome.code == 2
    assert "--learning-rate, --schedule: no effect on centroid" in outcome.err
    assert "mlp, cnn" in outcome.err
    assert kd("train-teacher", "--model", "centroid", "--seed", "3", "--force").code == 0
    assert opened(tiny).teacher.meta.config == {"model": "centroid", "ensemble": 1, "seed": 3, "folds": 0}


def test_memory_grows_with_all_that_is_kept() -> None:
    sizes = {"features": (2,), "n_classes": 2, "train": 1000, "val": 100, "predicted": 400}

    def need(sets: int, seeds: int, **changed: int) -> int:
        return MLP((100,)).needs(Sizes(sets=sets, seeds=seeds, **(sizes | changed))).memory  # type: ignore[arg-type]

    parameters, targets, logits = 4 * 4 * 502, 8 * 2 * 1100, 16 * 2 * 400
    assert need(1, 1) == parameters + targets + logits
    assert need(3, 5) == 15 * (parameters + logits) + 3 * targets
    assert need(3, 5, draws=2) == 2 * need(3, 5)
    assert need(1, 1, train=2000) - need(1, 1) == 8 * 2 * 1000


@pytest.mark.parametrize(
    ("model", "features"),
    [(MLP((4, 3)), (2,)), (MLP((7,)), (5, 4)), (CNN(3, (6, 5)), (8, 8)), (Linear(), (5, 4))],
)
def test_the_parameters_of_a_network_are_those_of_what_it_builds(
    model: Network, features: Sequence[int]
) -> None:
    built = model.build(features, 4, members=3)
    assert 3 * model.parameters(features, 4) == sum(p.numel() for p in built.parameters())
    assert 3 * model.least_bytes(features, 4, 100) == sum(p.nbytes for p in built.parameters())


def test_curves_of_some_members() -> None:
    curves = torch.arange(6.0).view(3, 2)
    history = History(torch.tensor([0, 5]), curves, curves + 1, curves / 10, curves / 20)
    part = history.of(torch.tensor([2, 0]))
    assert part.train.tolist() == [[4, 5], [0, 1]]
    assert part.epochs.tolist() == [0, 5]
    by_draw = history.of(torch.tensor([[1], [2]]))
    assert by_draw.val.tolist() == [[[3, 4]], [[5, 6]]]
    torch.testing.assert_close(by_draw.train_accuracy, torch.tensor([[[0.2, 0.3]], [[0.4, 0.5]]]))
    torch.testing.assert_close(by_draw.val_accuracy, torch.tensor([[[0.1, 0.15]], [[0.2, 0.25]]]))
    assert history.of(torch.zeros(2, 0, dtype=torch.int64)).train.shape == (2, 0, 2)


def test_a_member_has_diverged_from_the_first_loss_that_is_not_finite() -> None:
    losses = torch.tensor([[1.0, torch.inf, 1.0], [1.0, 1.0, 1.0]])
    finite, epochs = torch.ones(2, 3), torch.tensor([0, 7, 14])
    assert History(epochs, losses, losses.flip(0), finite, finite).diverged == {0: 7, 1: 7}
    assert History(epochs, finite, losses.flip(0), finite, finite).diverged == {1: 7}


def test_what_is_taught_is_counted_by_draw() -> None:
    labels = {"train": torch.zeros(3, 8, 2), "val": torch.zeros(3, 4, 2)}
    index = {"train": torch.zeros(3, 8), "val": torch.zeros(3, 4), "test": torch.zeros(1, 5)}
    teaching = Teaching(torch.zeros(20, 6, 7), index, labels, [], [0], "student", [])
    assert (teaching.draws, teaching.n_train, teaching.n_classes, teaching.features) == (3, 8, 2, (6, 7))
    sizes = Sizes((6, 7), 2, train=8, val=4, predicted=5, sets=4, seeds=5)
    assert (sizes.members, replace(sizes, draws=3).members) == (20, 60)


def test_what_seeds_vary_is_said_of_every_family() -> None:
    assert models.SEEDS == (
        "initial weights and batch order (mlp, cnn, linear); the rows drawn, with replacement (tree); "
        "the rows and columns drawn for each tree (forest); the rows and columns drawn for each round (gbdt)"
    )


def test_defaults_of_a_family() -> None:
    model = Centroid()
    assert not model.takes("epochs")
    assert model.problem((2,), 10) == ""
    assert (model.CURVES, model.described, Tree().described) == (False, (), ("leaves", "depth"))
    assert Lesson({}).temperature == 1
