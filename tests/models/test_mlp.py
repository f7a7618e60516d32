import pytest
import torch

from kdcli.errors import UsageError
from kdcli.models import parse_model
from kdcli.models.mlp import MLP


def test_parse_and_names() -> None:
    model = parse_model("mlp:64,64")
    assert model == MLP((64, 64))
    assert str(model) == "mlp:64,64"
    assert model.slug == "mlp64-64"


@pytest.mark.parametrize(
    "text", ["mlp:", "mlp", "mlp:0", "mlp:a", "mlp:4,", "mlp:-3", "mlp:1e3", "mlp:9999999"]
)
def test_what_does_not_parse_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError, match="a width must be") as problem:
        parse_model(text)
    assert "mlp:64,64" in problem.value.hint


def test_parameters_of_another_shape_are_refused() -> None:
    model = MLP((5,))
    parameters = model.build((3,), 2, members=4).state_dict()
    assert model.restore(parameters, (3,), 2, 4).state_dict().keys() == parameters.keys()
    for features, n_classes, members in ((2, 2, 4), (3, 3, 4), (3, 2, 1)):
        with pytest.raises(ValueError, match="do not fit mlp:5"):
            model.restore(parameters, (features,), n_classes, members)
    for damaged in ({}, dict.fromkeys(parameters, torch.tensor(0.0))):
        with pytest.raises(ValueError, match="do not fit"):
            model.restore(damaged, (3,), 2, 4)


def test_unknown_family() -> None:
    with pytest.raises(UsageError, match=r"no model 'mpl'; did you mean mlp\?"):
        parse_model("mpl:4")
