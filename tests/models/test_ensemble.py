from collections.abc import Iterator, Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import UsageError
from kdcli.models import parse_model, parse_teacher
from kdcli.models.ensemble import Ensemble
from kdcli.models.family import Fitted, Lesson, Model, Sizes, Teaching, Workshop
from kdcli.models.forest import Forest
from kdcli.models.mlp import MLP
from kdcli.models.tree import Tree

SINGLE = (MLP((4,)), MLP((8, 8)), Tree(), Tree(max_depth=3), Forest(3))
COUNTED = st.lists(st.tuples(st.integers(1, 10), st.sampled_from(SINGLE)), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "model", "slug"),
    [
        ("5*mlp:4", Ensemble(((5, MLP((4,))),)), "5xmlp4"),
        ("mlp:8,8+tree", Ensemble(((1, MLP((8, 8))), (1, Tree()))), "mlp8-8-tree"),
        ("2*tree:max_depth=3+forest:3", Ensemble(((2, Tree(3)), (1, Forest(3)))), "2xtree-depth3-forest3"),
    ],
)
def test_parse_and_names(text: str, model: Ensemble, slug: str) -> None:
    assert parse_teacher(text) == model
    assert str(model) == text
    assert model.slug == slug


@given(COUNTED)
def test_what_is_written_reads_back_and_equal_models_are_counted_together(
    counted: list[tuple[int, Model]],
) -> None:
    ensemble = Ensemble.of(counted)
    assert parse_teacher(str(ensemble)) == ensemble
    assert parse_teacher("+".join(f"{count}*{model}" for count, model in counted)) == ensemble
    times, models = ensemble.factored
    assert parse_teacher(str(models), times) == ensemble


def test_a_single_member_is_the_model_itself() -> None:
    assert parse_teacher("1*mlp:4") == parse_teacher("mlp:4") == MLP((4,))
    assert MLP((4,)).factored == (1, MLP((4,)))
    assert parse_teacher("2*mlp:4+2*tree").factored == (2, parse_teacher("mlp:4+tree"))
    assert parse_teacher("2*mlp:4+tree").factored == (1, parse_teacher("2*mlp:4+tree"))


@pytest.mark.parametrize(
    ("text", "times", "words"),
    [
        ("0*mlp:4", 1, "a count must be a whole number from 1 to 100, not '0'"),
        ("101*mlp:4", 1, "a count must be"),
        ("2*3*mlp:4", 1, "a count must be a whole number from 1 to 100, not '2*3'"),
        ("*mlp:4", 1, "not ''"),
        ("²*mlp:4", 1, "a count must be"),
        ("60*mlp:4+41*tree", 1, "101 members are more than the maximum of 100"),
        ("mlp:4+tree", 51, "102 members are more than the maximum of 100"),
        ("2*mlp:4", 3, "has counts, but --ensemble 3 is given too"),
        ("mlp:4+", 1, "no model ''"),
        ("mlp:4+tre", 1, "no model 'tre'"),
        ("2*mlp:", 1, "a width must be"),
    ],
)
def test_what_is_no_ensemble_is_refused(text: str, times: int, words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_teacher(text, times)
    assert words in refusal.value.message


@pytest.mark.parametrize("text", ["2*mlp:4", "mlp:4+tree", "1*tree"])
def test_only_teachers_may_be_ensembles(text: str) -> None:
    with pytest.raises(UsageError, match="is an ensemble, which only a teacher can be"):
        parse_model(text)


def test_it_takes_what_any_of_its_models_takes() -> None:
    both, trees = parse_teacher("mlp:4+tree"), parse_teacher("2*tree+forest:3")
    assert both.takes("epochs")
    assert not trees.takes("epochs")
    assert trees.takes("class_weight")
    assert (both.remembers, trees.remembers) == (False, True)
    assert (both.described, both.limited_by) == ((), "else")


def test_it_can_learn_where_all_its_models_can() -> None:
    ensemble = parse_teacher("mlp:4+tree:min_samples_leaf=30")
    assert ensemble.problem((2,), 60) == ""
    assert ensemble.problem((2,), 50).startswith("tree:min_samples_leaf=30: min_samples_leaf=30 allows no")


def test_its_size_is_that_of_all_members_and_memory_has_one_model_at_a_time() -> None:
    first, second = MLP((4,)), MLP((8, 8))
    ensemble = Ensemble(((3, first), (2, second)))
    operations = 3 * first.multiply_adds((5,), 3) + 2 * second.multiply_adds((5,), 3)
    assert ensemble.multiply_adds((5,), 3) == operations
    size = 3 * first.least_bytes((5,), 3, 100) + 2 * second.least_bytes((5,), 3, 100)
    assert ensemble.least_bytes((5,), 3, 100) == size
    sizes = Sizes((5,), 3, train=100, val=10, predicted=50, sets=1, seeds=1, draws=2)
    needs = [
        model.needs(Sizes((5,), 3, train=100, val=10, predicted=50, sets=1, seeds=count, draws=2))
        for count, model in ((3, first), (2, second))
    ]
    assert ensemble.needs(sizes).memory == max(need.memory for need in needs)
    assert ensemble.needs(sizes).disk == 2 * (size + 8 * 3 * 50)


class Constant(Tree):
    """A model that predicts its seed."""

    def train(self, teaching: Teaching, workshop: Workshop) -> Iterator[Fitted]:
        seeds = torch.tensor([list(teaching.seeds)] * teaching.draws).double()
        yield Fitted(teaching.seeds, {"seed": seeds}, {"test": seeds[..., None, None] * torch.eye(2)}, 1.5)


class Shop:
    """A workshop that notes which models it is for."""

    def __init__(self) -> None:
        self.components: list[tuple[int, str]] = []

    def component(self, number: int, model: Model) -> "Shop":
        self.components.append((number, str(model)))
        return self


def taught_by(ensemble: Ensemble) -> tuple[Fitted, list[tuple[int, str]]]:
    labels: Mapping[str, torch.Tensor] = {split: torch.zeros(2, 4, 2) for split in ("train", "val")}
    teaching = Teaching(torch.zeros(9, 2), {}, labels, [Lesson(labels)], [1, 4], "teacher", ["test"])
    shop = Shop()
    (fitted,) = ensemble.train(teaching, shop)  # type: ignore[arg-type]
    return fitted, shop.components


def test_members_have_seeds_of_their_own() -> None:
    fitted, components = taught_by(Ensemble(((3, Constant()), (1, Constant(max_depth=2)))))
    assert (fitted.seeds, fitted.seconds, fitted.described, fitted.lost) == ([1, 4], 3.0, {}, {})
    assert fitted.tensors["0.seed"].tolist() == [[[3, 4, 5], [12, 13, 14]]] * 2
    assert fitted.tensors["1.seed"].tolist() == [[[1], [4]]] * 2
    logits = torch.tensor([3.0, 4, 5, 1]).double()[:, None, None] * torch.eye(2)
    torch.testing.assert_close(fitted.logits["test"][0, 0].exp(), logits.softmax(-1).mean(0))
    assert components == [(0, "tree"), (1, "tree:max_depth=2")]
    assert fitted.history is None


def test_ensembles_are_read_by_what_reads_all_families() -> None:
    with pytest.raises(NotImplementedError):
        Ensemble.parse("2*mlp:4")
