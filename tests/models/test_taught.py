from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
import torch
from models.test_boosting import INDEX, VAL, N, Unwatched, X, problem
from torch import Tensor

from kdcli.models import parse_model
from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.taught import Taught

SEEDS = [4, 7, 9]
DRAWS = 2


def teaching(*, by_seed: bool) -> Teaching:
    """Return the targets of three seeds in two draws: the same, or with the classes shifted by the seed."""
    soft, labels = problem(3)
    index = {split: torch.stack([rows, rows.flip(0)]) for split, rows in INDEX.items()}
    targets: dict[str, Tensor] = {split: soft[index[split]] for split in ("train", "val")}
    if by_seed:
        targets = {
            split: torch.stack([target.roll(place, -1) for place in range(len(SEEDS))], 1)
            for split, target in targets.items()
        }
    return Teaching(
        X,
        index,
        {split: labels[index[split]] for split in ("train", "val")},
        [Lesson(targets, 2.0, 0.2)],
        SEEDS,
        "student",
        ["test"],
    )


def alone(taught: Teaching, place: int) -> Teaching:
    """Return what the seed at a place is taught, as the only one."""
    (lesson,) = taught.lessons
    own: Mapping[str, Tensor] = {split: target[:, place] for split, target in lesson.targets.items()}
    return replace(taught, lessons=[replace(lesson, targets=own)], seeds=[SEEDS[place]])


def trained(model: str, taught: Teaching) -> Fitted:
    made: Iterable[Fitted] = parse_model(model).train(taught, Unwatched())  # type: ignore[arg-type]
    (fitted,) = made
    return fitted


def test_a_lesson_is_read_by_draw_and_seed() -> None:
    shared, own = teaching(by_seed=False), teaching(by_seed=True)
    assert [taught.lessons[0].by_seed for taught in (shared, own)] == [False, True]
    for draw in range(DRAWS):
        for place in range(len(SEEDS)):
            for split, n in (("train", N), ("val", VAL)):
                same = Taught.of(shared, shared.lessons[0], draw, split, place)
                assert same.target.shape == (n, 3)
                rolled = Taught.of(own, own.lessons[0], draw, split, place)
                assert torch.equal(rolled.target, same.target.roll(place, -1))
                assert torch.equal(rolled.labels, same.labels)
                assert (rolled.points == same.points).all()


@pytest.mark.parametrize(
    "model", ["tree:max_depth=3", "tree:max_depth=3,shrink=auto", "forest:2", "gbdt:rounds=3"]
)
def test_each_seed_learns_its_own_target_where_it_has_one(model: str) -> None:
    taught = teaching(by_seed=True)
    together = trained(model, taught)
    for place in range(len(SEEDS)):
        single = trained(model, alone(taught, place))
        assert torch.equal(single.logits["test"][:, 0], together.logits["test"][:, place])
    same = trained(model, teaching(by_seed=False))
    assert torch.equal(same.logits["test"][:, 0], together.logits["test"][:, 0])
    assert not torch.allclose(same.logits["test"][:, 1], together.logits["test"][:, 1])
