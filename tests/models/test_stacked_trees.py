import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor

from kdcli.models.family import Fitted, Lesson, Teaching
from kdcli.models.network import Network
from kdcli.models.stacked_trees import StackedTrees, grow, grow_sets, stacked
from kdcli.models.tree import Tree
from kdcli.progress import Report, Silence
from kdcli.rng import generator, state

N = 300
X = torch.randn(N, 3, generator=generator("x", 0))
NEW = torch.randn(500, 3, generator=generator("x", 1))
LOGITS = torch.stack([X[:, 0], X[:, 1] * X[:, 2], -X[:, 0]], dim=1)
Y = torch.multinomial(LOGITS.softmax(1), 1, generator=generator("y", 0)).squeeze(1)
LABELS = torch.nn.functional.one_hot(Y, 3).double()
SOFT = LOGITS.softmax(1)
TIES = state("student/ties", 0)
TREES = [Tree(), Tree(max_depth=4), Tree(max_leaf_nodes=9), Tree(min_samples_leaf=7), Tree(5, 10, 3)]


def taught(
    tree: Tree,
    target: Tensor,
    temperature: float = 1.0,
    weight: float = 0.0,
    *,
    seeds: Sequence[int] = (0,),
    x: Tensor = X,
    labels: Tensor = LABELS,
    weights: Tensor | None = None,
    replicates: bool = False,
) -> StackedTrees:
    """Grow the trees of one set on `x`: on all examples, or on those that each seed draws."""
    lesson = Lesson({"train": target.double().unsqueeze(0)}, temperature, weight)
    index = {"train": torch.arange(len(x)).unsqueeze(0)}
    of_examples = None if weights is None else {"train": weights.unsqueeze(0)}
    teaching = Teaching(
        x,
        index,
        {"train": labels.unsqueeze(0)},
        [lesson],
        seeds,
        "student",
        [],
        replicates,
        weights=of_examples,
    )
    return stacked(list(grow(tree.limits, tree.shrink, teaching, lesson, 0, lambda more: None)))


def drawn(seed: int, draw: int = 0, n: int = N) -> tuple[np.ndarray, int]:
    """Return how often a seed draws each of n rows, `(n,)`, and the random state that comes after them."""
    random = np.random.default_rng(state("student/rows", seed, draw))
    return np.bincount(random.integers(n, size=n), minlength=n), int(random.integers(2**31))


def probabilities(trees: StackedTrees, x: Tensor = NEW) -> Tensor:
    """(members, n, n_classes)"""
    result: Tensor = trees(x.unsqueeze(0)).mT.exp()
    return result


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_one_hot_targets_grow_the_classification_tree(tree: Tree) -> None:
    theirs = DecisionTreeClassifier(**tree.limits, random_state=TIES).fit(X.numpy(), Y.numpy())
    trees = taught(tree, LABELS)
    np.testing.assert_allclose(
        probabilities(trees)[0].numpy(), theirs.predict_proba(NEW.numpy()), rtol=0, atol=1e-12
    )
    assert int(trees.leaves) == theirs.get_n_leaves()
    assert int(trees.depth) == theirs.get_depth()


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_probabilities_grow_the_regression_tree_with_an_output_for_each_class(tree: Tree) -> None:
    theirs = DecisionTreeRegressor(**tree.limits, random_state=TIES).fit(X.numpy(), SOFT.double().numpy())
    trees = taught(tree, SOFT)
    np.testing.assert_allclose(
        probabilities(trees)[0].numpy(), theirs.predict(NEW.numpy()), rtol=0, atol=1e-6
    )
    assert int(trees.leaves) == theirs.get_n_leaves()
    assert int(trees.depth) == theirs.get_depth()


def test_points_on_a_threshold_go_the_way_scikit_learn_sends_them() -> None:
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    y = torch.tensor([0, 1, 0, 1])
    trees = taught(Tree(), torch.nn.functional.one_hot(y), x=x, labels=torch.zeros(4, 2))
    theirs = DecisionTreeClassifier(random_state=TIES).fit(x.numpy(), y.numpy())
    at = torch.tensor([[0.5], [1.5], [2.5]])
    torch.testing.assert_close(
        probabilities(trees, at)[0], torch.from_numpy(theirs.predict_proba(at.numpy()))
    )


def test_a_pure_leaf_excludes_the_other_classes_exactly() -> None:
    log_p = taught(Tree(), LABELS)(X.unsqueeze(0))[0].T
    assert set(log_p.flatten().tolist()) == {0.0, -math.inf}
    assert torch.equal(log_p.argmax(1), Y)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_the_temperature_of_a_target_is_taken_back(temperature: float) -> None:
    """A leaf with one example gives back the teacher's own probabilities, whatever T softened them."""
    trees = taught(Tree(), (LOGITS / temperature).softmax(1), temperature)
    torch.testing.assert_close(probabilities(trees, X)[0], SOFT.double(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_softened_again_a_leaf_is_the_mean_of_its_softened_targets(temperature: float) -> None:
    target = (LOGITS / temperature).softmax(1)
    trees = taught(Tree(max_leaf_nodes=4), target, temperature)
    log_p = trees(X.unsqueeze(0))[0].T
    for leaf in torch.unique(log_p, dim=0):
        inside = (log_p == leaf).all(1)
        mean = target[inside].double().mean(0)
        torch.testing.assert_close((leaf / temperature).softmax(0), mean, rtol=1e-6, atol=1e-6)


def test_a_label_weight_mixes_the_targets() -> None:
    trees = taught(Tree(max_leaf_nodes=4), SOFT, weight=0.3)
    mixed = taught(Tree(max_leaf_nodes=4), 0.7 * SOFT + 0.3 * LABELS)
    torch.testing.assert_close(probabilities(trees), probabilities(mixed), rtol=1e-6, atol=1e-6)


def test_a_label_weight_leaves_the_temperature_to_the_soft_part() -> None:
    """p = (1 − w) · normalised q^T + w · label shares, in each leaf."""
    target = (LOGITS / 4).softmax(1)
    trees = taught(Tree(max_leaf_nodes=4), target, 4.0, weight=0.3)
    p = probabilities(trees, X)[0]
    for leaf in torch.unique(p, dim=0):
        inside = (p == leaf).all(1)
        sharp = target[inside].double().mean(0) ** 4
        expected = 0.7 * sharp / sharp.sum() + 0.3 * LABELS[inside].double().mean(0)
        torch.testing.assert_close(leaf, expected, rtol=1e-6, atol=1e-9)


def test_with_all_the_weight_on_labels_the_target_and_its_temperature_do_not_matter() -> None:
    alone = taught(Tree(), LABELS)
    assert torch.equal(
        probabilities(taught(Tree(), (LOGITS / 4).softmax(1), 4.0, weight=1.0)), probabilities(alone)
    )


def test_the_seeds_of_a_single_model_break_ties_and_nothing_else() -> None:
    x = X[:, :1].repeat(1, 3)  # three features that split equally well
    trees = taught(Tree(max_depth=2), LABELS, seeds=range(20), x=x)
    assert len(torch.unique(trees.feature[:, 0])) > 1
    shown = NEW[:, :1].repeat(1, 3)
    torch.testing.assert_close(
        probabilities(trees, shown), probabilities(trees, shown)[:1].expand(20, -1, -1)
    )
    again = taught(Tree(max_depth=2), LABELS, seeds=range(20), x=x)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in trees.state_dict().items())


@pytest.mark.parametrize("target", [LABELS, SOFT], ids=["labels", "soft"])
@pytest.mark.parametrize("tree", TREES, ids=str)
def test_each_seed_of_students_draws_the_rows_of_its_tree(tree: Tree, target: Tensor) -> None:
    seeds = range(3)
    p = probabilities(taught(tree, target, seeds=seeds, replicates=True))
    for seed in seeds:
        counts, random_state = drawn(seed)
        if target is LABELS:
            one = DecisionTreeClassifier(**tree.limits, random_state=random_state)
            expected = one.fit(X.numpy(), Y.numpy(), counts).predict_proba(NEW.numpy())
        else:
            one = DecisionTreeRegressor(**tree.limits, random_state=random_state)
            expected = one.fit(X.numpy(), target.double().numpy(), counts).predict(NEW.numpy())
        torch.testing.assert_close(p[seed], torch.from_numpy(expected), rtol=0, atol=1e-6)
    assert not torch.equal(p[0], p[1])


def test_a_tree_is_grown_as_often_on_a_row_as_it_is_drawn() -> None:
    """Rows that are drawn twice, and weights of classes, count as copies of the rows do."""
    weights = torch.where(Y == 2, 2.0, 1.0).double()
    tree = Tree(max_leaf_nodes=9)
    counts = torch.from_numpy(drawn(0)[0])
    copies = torch.arange(N).repeat_interleave(counts * weights.long())
    once = taught(tree, SOFT, seeds=[0], weights=weights, replicates=True)
    copied = taught(tree, SOFT[copies], x=X[copies], labels=LABELS[copies])
    torch.testing.assert_close(probabilities(once), probabilities(copied), rtol=0, atol=1e-6)


def test_a_class_that_is_not_drawn_has_probability_0() -> None:
    seeds = [seed for seed in range(20) if drawn(seed)[0][0] == 0]
    y = torch.where(torch.arange(N) == 0, 2, Y % 2)
    labels = torch.nn.functional.one_hot(y, 3).double()
    assert 0 < len(seeds) < 20
    for target, weight in ((labels, 0.0), (labels, 1.0), (0.5 * labels + 0.5 * labels.roll(1, 0), 0.3)):
        trees = taught(Tree(), target, weight=weight, labels=labels, seeds=seeds, replicates=True)
        p = probabilities(trees)
        assert bool(p.isfinite().all())
        torch.testing.assert_close(p.sum(2), torch.ones(len(seeds), 500).double())
        if weight != 0.3:
            assert not bool(p[:, :, 2].any())


def test_trees_of_different_sizes_share_a_stack() -> None:
    trees = taught(Tree(), LABELS, seeds=range(8))
    assert len(set(trees.leaves.tolist())) > 1
    for member, seed in enumerate(range(8)):
        alone = taught(Tree(), LABELS, seeds=(seed,))
        assert torch.equal(probabilities(trees)[member], probabilities(alone)[0])
        assert int(trees.depth[member]) == int(alone.depth)


def test_groups_see_their_own_batch() -> None:
    trees = taught(Tree(), LABELS, seeds=range(4))
    batches = NEW.view(2, 250, 3)
    log_p = trees(batches)
    for member in range(4):
        assert torch.equal(log_p[member], trees(batches[member // 2].unsqueeze(0))[member])


def test_a_limit_beyond_the_data_takes_no_memory() -> None:
    trees = taught(Tree(max_leaf_nodes=1_000_000_000), LABELS)
    assert int(trees.leaves) <= N


def test_a_single_leaf() -> None:
    same = torch.tensor([0.25, 0.25, 0.5])
    trees = taught(Tree(), same.expand(N, 3))
    assert (int(trees.leaves), int(trees.depth)) == (1, 0)
    torch.testing.assert_close(probabilities(trees), same.double().expand(1, 500, 3))


class Counting(Silence):
    """A workshop and a display in one, which count the trees to grow and the trees grown."""

    def __init__(self) -> None:
        self.totals: list[tuple[int, str]] = []
        self.done: list[int] = []

    def __call__(self, done: int, loss: float | None) -> None:
        self.done.append(done)

    def watch(self, total: int, unit: str) -> AbstractContextManager[Report]:
        self.totals.append((total, unit))
        return nullcontext(self)

    def by_gradients(self, model: Network, teaching: Teaching) -> Iterable[Fitted]:
        raise AssertionError("a tree is not trained by gradients")


def teaching_by_draw(draws: int) -> Teaching:
    """Return the targets of two sets in several draws, each with examples of its own."""
    train = torch.stack([torch.randperm(N, generator=generator("draw", 0, d))[:90] for d in range(draws)])
    val = torch.stack([torch.randperm(N, generator=generator("draw", 1, d))[:20] for d in range(draws)])
    return Teaching(
        x=X,
        index={"train": train, "val": val, "test": torch.arange(50, 100).unsqueeze(0)},
        labels={"train": LABELS[train]},
        lessons=[
            Lesson({"train": LABELS[train]}),
            Lesson({"train": (LOGITS / 4).softmax(1).double()[train]}, 4.0, 0.3),
        ],
        seeds=[2, 5],
        role="student",
        predicted=["val", "test"],
    )


def test_every_draw_has_the_trees_of_its_own_examples_and_ties() -> None:
    teaching, counting = teaching_by_draw(3), Counting()
    labels, soft = grow_sets(Tree().limits, 0, teaching, counting)
    assert (counting.totals, counting.done) == ([(12, "tree")], list(range(1, 13)))
    for fitted in (labels, soft):
        assert fitted.seeds == [2, 5]
        assert {split: z.shape for split, z in fitted.logits.items()} == {
            "val": (3, 2, 20, 3),
            "test": (3, 2, 50, 3),
        }
        assert all(tensor.shape[:2] == (3, 2) for tensor in fitted.tensors.values())
        flat = {name: tensor.flatten(0, 1) for name, tensor in fitted.tensors.items()}
        trees = Tree().restore(flat, (3,), 3, 6)
        assert fitted.described["leaves"] == trees.leaves.view(3, 2).tolist()
        assert fitted.described["depth"] == trees.depth.view(3, 2).tolist()
        for draw in range(3):
            for split, rows in (("val", teaching.index["val"][draw]), ("test", teaching.index["test"][0])):
                shown = trees.predict(X[rows]).unflatten(0, (3, 2))[draw]
                assert torch.equal(fitted.logits[split][draw], shown)


def test_the_trees_of_every_draw_are_those_that_scikit_learn_grows_on_its_examples() -> None:
    teaching = teaching_by_draw(3)
    labels, soft = grow_sets(Tree().limits, 0, teaching, Counting())
    flat = {name: tensor.flatten(0, 1) for name, tensor in soft.tensors.items()}
    p = Tree().restore(flat, (3,), 3, 6).predict(X, teaching.index["train"]).exp().unflatten(0, (3, 2))
    for draw, rows in enumerate(teaching.index["train"]):
        for place, seed in enumerate(teaching.seeds):
            counts, random_state = drawn(seed, draw, len(rows))
            theirs = DecisionTreeClassifier(random_state=random_state)
            theirs.fit(X[rows].numpy(), Y[rows].numpy(), counts)
            expected = theirs.predict_proba(X[50:100].numpy())
            shown = labels.logits["test"][draw, place].exp().numpy()
            np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-12)
            assert labels.described["leaves"][draw][place] == theirs.get_n_leaves()
            # Each row that is drawn has a leaf, which says what the weights make of its target and label.
            mixed = (0.7 * SOFT[rows].double() + 0.3 * LABELS[rows])[counts > 0]
            torch.testing.assert_close(p[draw, place][counts > 0], mixed, rtol=1e-4, atol=1e-6)


def test_the_trees_of_the_first_draws_are_those_of_fewer_draws() -> None:
    for few, many in zip(
        grow_sets(Tree().limits, 0, teaching_by_draw(1), Counting()),
        grow_sets(Tree().limits, 0, teaching_by_draw(3), Counting()),
        strict=True,
    ):
        assert few.described["leaves"] == many.described["leaves"][:1]
        for split in ("val", "test"):
            assert torch.equal(few.logits[split], many.logits[split][:1])


def test_ties_are_broken_otherwise_in_another_draw() -> None:
    x, rows = X[:, :1].repeat(1, 3), torch.arange(N).expand(2, N)  # equal features, and equal draws
    lesson = Lesson({"train": LABELS[rows]})
    labels = {"train": LABELS[rows]}
    teaching = Teaching(x, {"train": rows}, labels, [lesson], range(20), "teacher", [], replicates=False)
    (fitted,) = grow_sets(Tree(max_depth=1).limits, 0, teaching, Counting())
    first, second = fitted.tensors["feature"][:, :, 0]
    assert not torch.equal(first, second)


def test_restored_trees_predict_bit_for_bit() -> None:
    trees = taught(Tree(), LABELS, seeds=range(8))
    assert len(set(trees.leaves.tolist())) > 1  # the smaller ones are padded
    restored = Tree().restore(trees.state_dict(), (3,), 3, 8)
    assert torch.equal(restored(NEW.unsqueeze(0)), trees(NEW.unsqueeze(0)))


def changed(name: str, index: tuple[int, ...], value: float) -> dict[str, Tensor]:
    arrays = {key: tensor.clone() for key, tensor in taught(Tree(max_depth=2), SOFT).state_dict().items()}
    arrays[name][index] = value
    return arrays


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (changed("branches", (0, 0, 1), 0), "numbered above its parent"),  # half a leaf
        (changed("branches", (0, 1, 0), 1), "numbered above its parent"),  # its own child: no end
        (changed("branches", (0, 2, 0), 1), "numbered above its parent"),  # a way back
        (changed("branches", (0, 0, 1), 99), "does not exist"),
        (changed("branches", (0, 0, 1), -1), "numbered above its parent"),
        (changed("branches", (0, 0, 0), 4), "two branches lead to one node"),
        (changed("feature", (0, 0), 3), "outside 0 to 2"),
        (changed("feature", (0, 0), -1), "outside 0 to 2"),
        (changed("threshold", (0, 0), math.nan), "finite"),
        (changed("log_p", (0, 2, 0), 0.5), "sum to 1"),
        (changed("log_p", (0, 2, 0), math.nan), "sum to 1"),
        ({}, "not the arrays"),
        ({**changed("log_p", (0, 0, 0), 0), "more": torch.zeros(1)}, "not the arrays"),
        ({key: value.float() for key, value in changed("log_p", (0, 0, 0), 0).items()}, "not the arrays"),
        (
            {key: value[:, :0] for key, value in changed("log_p", (0, 0, 0), 0).items()},
            "feature has the shape",
        ),
        (
            {**changed("log_p", (0, 0, 0), 0), "threshold": torch.zeros(1, 2).double()},
            "threshold has the shape",
        ),
    ],
)
def test_arrays_that_are_no_trees_are_refused(arrays: dict[str, Tensor], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Tree().restore(arrays, (3,), 3, 1)


def test_a_tree_for_other_data_is_refused() -> None:
    arrays = taught(Tree(), SOFT).state_dict()
    with pytest.raises(ValueError, match="outside 0 to 0"):
        Tree().restore(arrays, (1,), 3, 1)
    with pytest.raises(ValueError, match="log_p has the shape"):
        Tree().restore(arrays, (3,), 2, 1)
    with pytest.raises(ValueError, match="feature has the shape"):
        Tree().restore(arrays, (3,), 3, 2)


@pytest.mark.parametrize("target", [LABELS, SOFT], ids=["labels", "soft"])
@pytest.mark.parametrize("label_weight", [0.0, 0.3])
def test_an_example_of_weight_2_counts_as_two(target: Tensor, label_weight: float) -> None:
    weights = torch.where(Y == 2, 2.0, 1.0).double()
    rows = torch.cat([torch.arange(N), (Y == 2).nonzero().squeeze(1)])
    weighted = taught(Tree(max_leaf_nodes=9), target, weight=label_weight, weights=weights)
    twice = taught(Tree(max_leaf_nodes=9), target[rows], weight=label_weight, x=X[rows], labels=LABELS[rows])
    torch.testing.assert_close(probabilities(weighted), probabilities(twice))
