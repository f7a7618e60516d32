import numpy as np
import pytest
import torch
from exporting import FEATURES, forest, image_stacks, stacks, training_rows, tree
from torch.nn import functional as F

from kdcli.models.computation import Computation, floor32
from kdcli.models.stack import Stack


def outputs(computation: Computation, x: np.ndarray) -> np.ndarray:
    """The result of a computation in float64, as its docstrings define it."""
    h = x.astype(np.float64)
    if convolution := computation.convolution:
        images = torch.from_numpy(h).view(-1, *convolution.size)
        filters, bias = (torch.from_numpy(a.astype(float)) for a in (convolution.filters, convolution.bias))
        filtered = F.conv2d(images, filters, bias)
        assert filtered.shape[1:] == convolution.output
        h = filtered.flatten(1).clamp(min=0).numpy()
    for k, layer in enumerate(computation.layers):
        h = (h.clip(0) if k else h) @ layer.weight.T + layer.bias
    if trees := computation.trees:
        leaves = trees.leaves(x)
        h = np.tile(trees.base.astype(float), (len(x), 1))
        for tree in range(leaves.shape[1]):
            for column in range(trees.value.shape[1]):
                h[:, trees.first[tree] + column] += trees.value[leaves[:, tree], column]
    if computation.softmax:
        powers = np.exp(h - h.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))
    return h


def probabilities(stack: Stack, x: torch.Tensor) -> np.ndarray:
    return stack.double().predict(x)[0].softmax(-1).numpy()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", ["mlp", "linear", "tree", "forest", "gbdt"])
def test_it_gives_the_probabilities_of_the_model(family: str, classes: int) -> None:
    stack, x = stacks(classes)[family], training_rows()
    expected = probabilities(stack, torch.from_numpy(x))
    np.testing.assert_allclose(outputs(stack.computation, x), expected, atol=1e-6)


@pytest.mark.parametrize("family", ["cnn", "mlp", "tree"])
@pytest.mark.parametrize("is_bytes", [False, True])
def test_images(family: str, is_bytes: bool) -> None:
    stack, random = image_stacks()[family], np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 48)).astype(np.float32)
    x = pixels if is_bytes else pixels / np.float32(255)
    images = torch.from_numpy(x).view(-1, 8, 6)
    expected = probabilities(stack, images.to(torch.uint8) if is_bytes else images)
    computation = stack.computation.taking_bytes() if is_bytes else stack.computation
    np.testing.assert_allclose(outputs(computation, x), expected, atol=1e-6)


def test_only_a_single_tree_is_one_and_only_a_single_layer_is_affine() -> None:
    trees = {name for name, stack in stacks().items() if stack.computation.tree}
    affine = {name for name, stack in stacks().items() if stack.computation.affine}
    assert (trees, affine) == ({"tree"}, {"linear"})
    assert not image_stacks()["cnn"].computation.affine


def test_leaves_are_those_of_the_stored_tree() -> None:
    x = training_rows()
    trees = forest().computation.trees
    assert trees is not None
    assert trees.leaves(x).shape == (len(x), 5)
    single, stack = tree().computation.trees, tree()
    assert single is not None
    np.testing.assert_allclose(
        single.value[single.leaves(x)[:, 0]], probabilities(stack, torch.from_numpy(x)), atol=1e-7
    )


def test_a_leaf_that_only_fills_up_is_left_out() -> None:
    boosted = stacks()["gbdt"].computation.trees
    assert boosted is not None
    assert len(boosted.roots) == 3  # of 4, of which one adds nothing
    assert len(boosted.feature) == 3 * 7
    assert len(boosted.value) == 3 * 8
    assert boosted.feature.max() < FEATURES


def test_thresholds_of_32_bits_divide_numbers_of_32_bits_as_before() -> None:
    random = np.random.default_rng(0)
    low = random.normal(size=500).astype(np.float32)
    high = np.nextafter(low, np.float32(np.inf))
    middle = (low.astype(float) + high.astype(float)) / 2
    for thresholds in (low.astype(float), middle):
        assert (floor32(thresholds) == low).all()
    huge = floor32(np.array([1e300, -1e300]))
    assert np.isfinite(huge).all()
    assert (np.float32([3e38, -3e38]) <= huge).tolist() == [True, False]
