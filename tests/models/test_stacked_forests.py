from collections.abc import Sequence

import numpy as np
import pytest
import torch
from models.test_stacked_trees import LABELS, LOGITS, NEW, N, X, Y
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor

from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.forest import Forest
from kdcli.models.stacked_forests import StackedForests
from kdcli.models.stacked_trees import StackedTrees
from kdcli.models.tree import Tree
from kdcli.progress import unwatched
from kdcli.rng import state

TREES = 5
SOFT = LOGITS.double().softmax(1)


class Unwatched:
    """A workshop that shows nothing."""

    def watch(self, total: int, unit: str) -> object:
        return unwatched("", total, unit, 1)


def fit(target: Tensor, forest: Forest, seeds: Sequence[int] = (0,), *, draws: int = 1) -> Fitted:
    index = torch.stack([torch.arange(N).roll(-draw) for draw in range(draws)])
    lesson = Lesson({"train": target[index]})
    teaching = Teaching(
        X, {"train": index, "test": index[:1]}, {"train": LABELS[index]}, [lesson], seeds, "student", ["test"]
    )
    (fitted,) = forest.train(teaching, Unwatched())  # type: ignore[arg-type]
    return fitted


def probabilities(fitted: Fitted, forest: Forest) -> Tensor:
    """(draws · seeds, n, n_classes) at NEW"""
    flat = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
    stack = forest.restore(flat, (3,), 3, len(flat["feature"]))
    result: Tensor = stack(NEW.unsqueeze(0)).mT.exp()
    return result


@pytest.mark.parametrize("target", [LABELS, SOFT], ids=["labels", "soft"])
@pytest.mark.parametrize("each", [Tree(), Tree(max_leaf_nodes=9)], ids=str)
def test_it_is_the_mean_of_trees_grown_on_bootstrap_samples(target: Tensor, each: Tree) -> None:
    forest = Forest(TREES, each)
    random = np.random.default_rng(state("student/forest", 4, 0))
    kind = DecisionTreeClassifier if target is LABELS else DecisionTreeRegressor
    expected = []
    for _ in range(TREES):
        rows = random.integers(N, size=N)
        counts = np.bincount(rows, minlength=N)
        tree = kind(**each.limits, max_features="sqrt", random_state=int(random.integers(2**31)))
        if target is LABELS:
            expected.append(tree.fit(X.numpy(), Y.numpy(), counts).predict_proba(NEW.numpy()))
        else:
            expected.append(tree.fit(X.numpy(), target.numpy(), counts).predict(NEW.numpy()))
    ours = probabilities(fit(target, forest, seeds=[4]), forest)[0]
    torch.testing.assert_close(ours, torch.from_numpy(np.mean(expected, 0)), rtol=1e-9, atol=1e-12)


def test_a_seed_and_a_draw_decide_whatever_is_grown_beside_them() -> None:
    forest = Forest(TREES, Tree(max_depth=4))
    together = probabilities(fit(LABELS, forest, seeds=[0, 1], draws=2), forest).unflatten(0, (2, 2))
    alone = probabilities(fit(LABELS, forest, seeds=[1]), forest)
    assert torch.equal(together[0, 1], alone[0])
    assert not torch.equal(together[0, 0], together[0, 1])
    assert not torch.equal(together[0, 1], together[1, 1])


def test_predictions_leaves_and_numbers() -> None:
    forest = Forest(TREES, Tree(max_leaf_nodes=6))
    fitted = fit(LABELS, forest, seeds=[0, 1])
    assert fitted.logits["test"].shape == (1, 2, N, 3)
    flat = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
    stack = StackedForests(flat)
    torch.testing.assert_close(stack.predict(X), fitted.logits["test"][0])
    leaves = StackedTrees({name: tensor.flatten(0, 1) for name, tensor in flat.items()}).leaves
    assert fitted.described == {"leaves": [leaves.view(2, TREES).sum(1).tolist()]}
    count, size = stack.numbers()
    assert count == float(2 * (leaves.double() - 1).sum() + 3 * leaves.sum()) / 2
    assert size > 8 * count
    again = StackedForests(stack.parameters_of([1]))
    torch.testing.assert_close(again(NEW.unsqueeze(0)), stack(NEW.unsqueeze(0))[1:])


def test_arrays_of_other_forests_are_refused() -> None:
    forest = Forest(TREES, Tree(max_leaf_nodes=6))
    flat = {name: tensor.flatten(0, 1) for name, tensor in fit(LABELS, forest).tensors.items()}
    with pytest.raises(ValueError, match="1 forests of 4 trees"):
        Forest(4).restore(flat, (3,), 3, 1)
    with pytest.raises(ValueError, match="outside 0 to 0"):
        forest.restore(flat, (1,), 3, 1)
