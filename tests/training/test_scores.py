from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import one_hot

from kdcli.data import Pool
from kdcli.metrics import RECORDED, measure
from kdcli.scored import Scored
from kdcli.training import scores

Y = torch.tensor([0, 1, 1, 0, 1, 0, 0, 0])
OWN = torch.tensor([[4, 5, 6], [7, 1, 3]])
SHARED = torch.tensor([[4, 5, 6]])


def data(test: torch.Tensor) -> Any:
    """Return data of two draws, whose test examples these are."""
    index = {"train": torch.tensor([[0], [2]]), "val": torch.tensor([[1], [6]]), "test": test}
    return SimpleNamespace(pool=Pool(torch.zeros(8, 2), Y, None, index))


def test_every_draw_is_scored_on_its_own_test_examples() -> None:
    right = one_hot(Y[OWN], 2) * 4.0
    logits = torch.stack([right, -right, right.flip(0)], 1)
    scored = scores.scores_on_test(logits, data(OWN))
    assert tuple(scored) == RECORDED
    assert scored["accuracy"] == [[1, 0, pytest.approx(1 / 3)]] * 2
    assert scored["errors"] == [[0, 3, 2], [0, 3, 2]]


@pytest.mark.parametrize("test", [OWN, SHARED])
def test_scores_are_those_of_each_draw_alone(test: torch.Tensor) -> None:
    logits = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    scored = scores.scores_on_test(logits, data(test))
    for draw in range(2):
        alone = measure(Scored(logits[draw], Y[test[draw % len(test)]]))
        assert {name: by_draw[draw] for name, by_draw in scored.items()} == alone
    assert all(len(by_draw) == 2 for by_draw in scored.values())
