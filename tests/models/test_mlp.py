import pytest

from kdcli.errors import UsageError
from kdcli.models import parse_model


def test_parse_and_names() -> None:
    model = parse_model("mlp:64,64")
    assert model.hidden == (64, 64)
    assert str(model) == "mlp:64,64"
    assert model.slug == "mlp64-64"


@pytest.mark.parametrize(
    "text", ["mlp:", "mlp", "mlp:0", "mlp:a", "mlp:4,", "mlp:-3", "mlp:1e3", "mlp:9999999"]
)
def test_what_does_not_parse_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError, match="a width must be") as problem:
        parse_model(text)
    assert "mlp:64,64" in problem.value.hint


def test_unknown_family() -> None:
    with pytest.raises(UsageError, match=r"no model 'mpl'; did you mean mlp\?"):
        parse_model("mpl:4")
