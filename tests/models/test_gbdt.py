import pytest

from kdcli.errors import UsageError
from kdcli.models import parse_model
from kdcli.models.gbdt import Gbdt


@pytest.mark.parametrize(
    ("text", "model", "slug"),
    [
        ("gbdt", Gbdt(), "gbdt"),
        ("gbdt:rounds=30,leaves=7", Gbdt(30, 7), "gbdt-rounds30-leaves7"),
        ("gbdt:rounds=30,learning_rate=0.1", Gbdt(30, given_rate=0.1), "gbdt-rounds30-rate0.1"),
    ],
)
def test_parse_and_names(text: str, model: Gbdt, slug: str) -> None:
    assert parse_model(text) == model
    assert str(model) == text
    assert model.slug == slug


def test_defaults_are_not_spelled_out() -> None:
    assert str(parse_model("gbdt:learning_rate=0.05,leaves=31,rounds=300")) == "gbdt"
    assert str(parse_model("gbdt:learning_rate=.3,rounds=30")) == "gbdt:rounds=30"


@pytest.mark.parametrize(("rounds", "rate"), [(300, 0.05), (30, 0.3), (100, 0.15), (10_000, 0.01)])
def test_fewer_rounds_take_larger_steps(rounds: int, rate: float) -> None:
    assert Gbdt(rounds).learning_rate == rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gbdt:trees=3", "no 'trees'"),
        ("gbdt:round=3", "did you mean rounds?"),
        ("gbdt:", None),
        ("gbdt:,", "a name is missing"),
        ("gbdt:rounds=0", "rounds must be a whole number from 1 to 10000, not '0'"),
        ("gbdt:leaves=1", "leaves must be a whole number from 2 to 1000, not '1'"),
        ("gbdt:leaves=", "not nothing"),
        ("gbdt:learning_rate=2", "learning_rate must be a number from 0.0001 to 1, not '2'"),
        ("gbdt:learning_rate=fast", "not 'fast'"),
        ("gbdt:rounds=3,rounds=4", "rounds is given twice"),
    ],
)
def test_what_does_not_parse_says_how_to_write_it(text: str, words: str | None) -> None:
    if words is None:
        assert parse_model(text) == Gbdt()
        return
    with pytest.raises(UsageError) as problem:
        parse_model(text)
    assert words in problem.value.message
    assert "gbdt:rounds=30,leaves=7" in problem.value.hint
