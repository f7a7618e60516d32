import math

import pytest
import torch
from torch.nn import functional as F

from kdcli.metrics import METRICS, measure, nll


def test_measure_has_one_value_per_model_and_metric() -> None:
    y = torch.tensor([0, 1, 1, 0])
    right = F.one_hot(y, 2) * 4.0
    scores = measure(torch.stack([right, -right]), y)
    assert set(scores) == set(METRICS)
    assert scores["accuracy"] == [1.0, 0.0]
    assert scores["errors"] == [0, 4]
    assert scores["nll"] == pytest.approx([math.log1p(math.exp(-4)), math.log1p(math.exp(4))])


def test_nll_is_not_clipped() -> None:
    logits = torch.tensor([[0.0, -torch.inf]])
    assert float(nll(logits, torch.tensor([1]))) == math.inf
    assert float(nll(torch.tensor([[0.0, -1e4]]), torch.tensor([1]))) == pytest.approx(1e4)
