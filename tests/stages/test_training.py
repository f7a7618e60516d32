import pytest
import torch

from kdcli.errors import KdError
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.recipe import Training
from kdcli.rng import generator
from kdcli.stages.training import predict_all


def test_a_network_that_overflows_on_other_data_is_left_out_or_refused() -> None:
    stack = StackedMLP((2, 3, 2), 3)
    stack.initialise([generator("weights", seed) for seed in range(3)])
    with torch.no_grad():
        stack.weights[0][1] = 1e38
    splits = {"val": torch.zeros(5, 2), "test": torch.full((4, 2), 100.0)}

    def named(member: int) -> str:
        return f"seed {member}"

    logits, lost = predict_all(stack, splits, Training(), member=named, keep_going=True)
    assert lost == [1]
    assert {name: tuple(of.shape) for name, of in logits.items()} == {"val": (3, 5, 2), "test": (3, 4, 2)}
    assert bool(logits["test"][[0, 2]].isfinite().all())
    with pytest.raises(KdError, match="the output of seed 1 is not a finite number everywhere") as stopped:
        predict_all(stack, splits, Training(learning_rate=0.5), member=named)
    assert "--learning-rate 0.5, or leave such seeds out with --keep-going" in stopped.value.hint
