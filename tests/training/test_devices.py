import pytest
import torch

from kdcli.errors import KdError
from kdcli.models.mlp import MLP
from kdcli.training import devices as compute
from kdcli.training.devices import choose_device, precision_for

CPU = torch.device("cpu")


def test_a_card_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(KdError, match="no GPU") as problem:
        choose_device("cuda")
    assert "--device cpu" in problem.value.hint


def test_a_card_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize(("hardware", "large"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_by_itself_only_for_large_models_and_where_the_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch, hardware: bool, large: torch.dtype
) -> None:
    monkeypatch.setattr(compute, "multiplies_in_bfloat16", lambda device: hardware)
    small, big = MLP((64, 64)).parameters((2,), 2), MLP((1200,)).parameters((1000,), 10)
    assert precision_for("auto", small, CPU) == torch.float32
    assert precision_for("auto", big, CPU) == large
    assert precision_for("bfloat16", small, CPU) == torch.bfloat16
    assert precision_for("float32", big, CPU) == torch.float32
