"""The formulas against what was built."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

import pytest

from kdcli.models import CNN, MLP, Network, Tree
from kdcli.runs.recipe import builtin
from kdcli.training import footprint
from kdcli.training.footprint import Shape

PLANE = Shape(
    features=(2,), pixel=4, n_classes=2, train=1600, val=400, test=20_000, predicted=20_000, sets=5, seeds=10
)
IMAGES = replace(
    PLANE, features=(28, 28), pixel=1, n_classes=10, train=50_000, val=10_000, test=10_000, predicted=10_000
)
GB = 10**9


@pytest.mark.parametrize(
    ("model", "features"), [(MLP((4, 3)), (2,)), (MLP((7,)), (5, 4)), (CNN(3, (6, 5)), (8, 8))]
)
def test_parameters_are_those_of_the_built_model(model: Network, features: Sequence[int]) -> None:
    built = model.build(features, 4, members=3)
    assert 3 * model.parameters(features, 4) == sum(p.numel() for p in built.parameters())
    assert model.at_once(features, 4, 3) == built.piece


def test_points_are_counted_exactly() -> None:
    assert footprint.sampled(10**10) == (960 * GB, 320 * GB)


def test_parameters_their_gradients_and_moments() -> None:
    one = MLP((100,)).parameters((2,), 2)
    assert footprint.trained(MLP((100,)), PLANE).parameters == 50 * 6 * 4 * one
    assert footprint.trained(MLP((100,)), PLANE, half=True).parameters == 50 * 7 * 4 * one


def test_every_part_grows_with_what_it_is_taken_for() -> None:
    def need(**changes: int) -> footprint.Footprint:
        return footprint.trained(MLP((100,)), replace(PLANE, **changes))

    usual = need()
    assert need(seeds=20).parameters == 2 * usual.parameters
    assert need(train=160_000).working == usual.working  # which is computed piece by piece
    assert need(train=160_000).targets > 10 * usual.targets
    assert need(batch_size=128).working > usual.working  # by the batches, one for each seed
    assert need(sets=10).targets > usual.targets
    assert need(test=40_000, predicted=40_000).kept > usual.kept


@pytest.mark.parametrize("name", sorted(f.name[:-5] for f in files("kdcli").joinpath("recipes").iterdir()))
def test_the_recipes_that_come_with_kd_need_little(name: str) -> None:
    """Four GB do for any of them, 27 million parameters on 50 000 images included."""
    recipe = builtin(name)
    for model in recipe.students.models:
        if model.startswith("mlp"):
            sizes = replace(IMAGES, sets=7, batch_size=recipe.students.batch_size)
            assert footprint.trained(MLP.parse(model[4:]), sizes).total < 2 * GB
        else:
            sizes = replace(PLANE, train=2400, val=600)
            assert footprint.grown(Tree.parse(model[5:]), sizes, graded=True).total < 2 * GB
    if recipe.teacher.model.startswith("cnn"):
        sizes = replace(IMAGES, sets=1, seeds=1, predicted=70_000, batch_size=recipe.teacher.batch_size)
        assert footprint.trained(CNN.parse(recipe.teacher.model[4:]), sizes, half=True).total < 4 * GB


def test_limits_bound_the_nodes_of_a_tree() -> None:
    assert footprint.nodes(Tree(), 1000, graded=True) == 1999
    assert footprint.nodes(Tree(), 1000, graded=False) == 249
    assert footprint.nodes(Tree(max_leaf_nodes=16), 1000, graded=True) == 31
    assert footprint.nodes(Tree(max_depth=3), 1000, graded=True) == 15
    assert footprint.nodes(Tree(max_depth=10**9), 1000, graded=True) == 1999
    assert footprint.nodes(Tree(min_samples_leaf=100), 1000, graded=True) == 19
