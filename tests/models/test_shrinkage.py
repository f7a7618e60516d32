"""Against the sum of the formula, taken node by node on the way to each leaf."""

import math

import pytest
import torch
from models.test_stacked_trees import LABELS, LOGITS, NEW, N, X, Y, drawn
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from kdcli.losses import distillation_loss
from kdcli.models.family import Lesson, Teaching
from kdcli.models.shrinkage import STRENGTHS, node_means, shrunk
from kdcli.models.stacked_trees import grow, stacked
from kdcli.models.tree import Tree
from kdcli.progress import unwatched
from kdcli.rng import generator

#      0
#    1   2
#       3   4
BRANCHES = torch.tensor([[1, 2], [0, 0], [3, 4], [0, 0], [0, 0]])
COUNT = torch.tensor([10.0, 4, 6, 1.5, 4.5]).double()
LEAVES = torch.tensor([[0.0, 0], [1, 0], [0, 0], [0, 1], [0.2, 0.8]]).double()
SOFT = LOGITS.double().softmax(1)
TRAIN, VAL = torch.arange(N)[:200], torch.arange(N)[200:]


def by_the_formula(branches: Tensor, means: Tensor, count: Tensor, strength: float) -> dict[int, Tensor]:
    """Return what each leaf of a tree predicts."""
    leaves: dict[int, Tensor] = {}

    def descend(node: int, value: list[float]) -> None:
        left, right = branches[node].tolist()
        if not left:
            leaves[node] = torch.tensor(value, dtype=torch.float64)
            return
        for child in (left, right):
            steps = [
                (float(c) - float(p)) / (1 + strength / float(count[node]))
                for c, p in zip(means[child], means[node], strict=True)
            ]
            descend(child, [v + step for v, step in zip(value, steps, strict=True)])

    descend(0, means[0].tolist())
    return leaves


def test_the_means_of_inner_nodes_are_those_of_the_examples_below() -> None:
    means = node_means(LEAVES, COUNT, BRANCHES)
    assert torch.equal(means[[1, 3, 4]], LEAVES[[1, 3, 4]])
    torch.testing.assert_close(means[2], (1.5 * LEAVES[3] + 4.5 * LEAVES[4]) / 6)
    torch.testing.assert_close(means[0], (4 * LEAVES[1] + 1.5 * LEAVES[3] + 4.5 * LEAVES[4]) / 10)


@pytest.mark.parametrize("strength", [0.0, 0.1, 3.0, 500.0])
def test_a_leaf_is_the_sum_of_the_steps_on_its_way(strength: float) -> None:
    means = node_means(LEAVES, COUNT, BRANCHES)
    result = shrunk(means, COUNT, BRANCHES, strength)
    for leaf, expected in by_the_formula(BRANCHES, means, COUNT, strength).items():
        torch.testing.assert_close(result[leaf], expected, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(result.sum(1), torch.ones(5).double())


def test_a_strength_of_0_changes_no_bit_and_one_without_end_leaves_the_root() -> None:
    means = node_means(LEAVES, COUNT, BRANCHES)
    assert torch.equal(shrunk(means, COUNT, BRANCHES, 0.0), means)
    assert torch.equal(shrunk(means, COUNT, BRANCHES, math.inf), means[:1].expand(5, 2))
    torch.testing.assert_close(shrunk(means, COUNT, BRANCHES, 1e9), means[:1].expand(5, 2))


def test_a_tree_of_a_single_leaf_stays_as_it_is() -> None:
    means = torch.tensor([[0.3, 0.7]]).double()
    none = torch.zeros(1, 2, dtype=torch.int64)
    assert torch.equal(shrunk(means, torch.ones(1).double(), none, 50.0), means)
    assert torch.equal(node_means(means, torch.ones(1).double(), none), means)


def taught(
    target: Tensor, temperature: float = 1.0, weight: float = 0.0, *, weighted: bool = False
) -> Teaching:
    """Teach on the first 200 examples; the others are the validation split."""
    split = {"train": TRAIN, "val": VAL}
    weights = torch.where(Y == 2, 2.0, 0.5).double()
    return Teaching(
        X,
        {name: rows.unsqueeze(0) for name, rows in split.items()},
        {name: LABELS[rows].unsqueeze(0) for name, rows in split.items()},
        [Lesson({name: target[rows].unsqueeze(0) for name, rows in split.items()}, temperature, weight)],
        range(4),
        "student",
        ["val"],
        weights={name: weights[rows].unsqueeze(0) for name, rows in split.items()} if weighted else None,
    )


def grown(tree: Tree, teaching: Teaching, x: Tensor = NEW) -> tuple[Tensor, Tensor]:
    """Return probabilities `(seeds, n, n_classes)` and, of shrunk trees, the strengths `(seeds,)`."""
    trees = stacked(list(grow(tree.limits, tree.shrink, teaching, teaching.lessons[0], 0, lambda more: None)))
    p = trees(x.unsqueeze(0)).mT.exp()
    assert bool(p.isfinite().all())
    torch.testing.assert_close(p.sum(2), torch.ones(p.shape[:2]).double())
    return p, trees.described.get("shrink", torch.zeros(4))


@pytest.mark.parametrize("strength", [0.5, 10.0])
def test_only_the_leaves_of_a_tree_are_shrunk(strength: float) -> None:
    p, chosen = grown(Tree(max_leaf_nodes=12, shrink=strength), taught(LABELS))
    assert chosen.tolist() == [strength] * 4
    for seed in range(4):
        counts, random_state = drawn(seed, n=len(TRAIN))
        theirs = DecisionTreeClassifier(max_leaf_nodes=12, random_state=random_state)
        tree = theirs.fit(X[TRAIN].numpy(), Y[TRAIN].numpy(), counts).tree_
        branches = torch.stack([torch.tensor(tree.children_left), torch.tensor(tree.children_right)], 1)
        means, count = torch.tensor(tree.value[:, 0]), torch.tensor(tree.weighted_n_node_samples)
        leaves = by_the_formula(branches.clip(min=0), means, count, strength)
        expected = torch.stack([leaves[leaf] for leaf in tree.apply(NEW.numpy())])
        torch.testing.assert_close(p[seed], expected, rtol=1e-9, atol=1e-12)


def test_softened_targets_are_shrunk_as_they_were_softened_and_labels_by_themselves() -> None:
    """With λ without end every leaf is the root: (1 − w) · normalised q^T + w · label shares."""
    target = (LOGITS.double() / 4).softmax(1)
    teaching = taught(target, 4.0, 0.3)
    p, _ = grown(Tree(max_leaf_nodes=9, shrink=1e12), teaching)
    counts = torch.from_numpy(drawn(0, n=len(TRAIN))[0]).double() / len(TRAIN)
    sharp = (counts @ target[TRAIN]) ** 4
    root = 0.7 * sharp / sharp.sum() + 0.3 * counts @ LABELS[TRAIN]
    torch.testing.assert_close(p[0], root.expand(len(NEW), 3), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("target", "temperature", "weight", "weighted"),
    [
        (LABELS, 1.0, 0.0, False),
        (LABELS, 1.0, 0.0, True),
        (SOFT, 1.0, 0.0, False),
        ((LOGITS.double() / 4).softmax(1), 4.0, 0.0, False),
        ((LOGITS.double() / 4).softmax(1), 4.0, 0.3, True),
        ((LOGITS.double() / 4).softmax(1), 4.0, 1.0, False),
    ],
)
@pytest.mark.parametrize("limits", [Tree(), Tree(max_leaf_nodes=9)], ids=str)
def test_the_strength_of_each_tree_is_the_one_with_the_lowest_loss_on_validation(
    target: Tensor, temperature: float, weight: float, weighted: bool, limits: Tree
) -> None:
    teaching = taught(target, temperature, weight, weighted=weighted)

    def of(shrink: float | str) -> Tree:
        return Tree(limits.max_depth, limits.max_leaf_nodes, shrink=shrink)

    def loss(p: Tensor) -> Tensor:
        weights = teaching.weights["val"] if teaching.weights else None
        soft = distillation_loss(p.log().mT, target[VAL].T, temperature, weights)
        hard = distillation_loss(p.log().mT, LABELS[VAL].T, 1.0, weights)
        return hard if weight == 1 else (1 - weight) * soft + (weight * hard if weight else 0)

    losses = torch.stack([loss(grown(of(strength), teaching, X[VAL])[0]) for strength in STRENGTHS])
    p, chosen = grown(of("auto"), teaching, X[VAL])
    assert chosen.tolist() == [STRENGTHS[k] for k in losses.argmin(0)]
    torch.testing.assert_close(loss(p), losses.min(0).values)
    assert bool(loss(p).isfinite().all())


def test_a_class_that_no_training_example_has_does_not_decide() -> None:
    labels = torch.nn.functional.one_hot(Y % 2, 3).double()
    chosen = grown(Tree(shrink="auto"), taught(labels))[1]
    labels[VAL[0]] = torch.tensor([0.0, 0, 1])
    assert bool((chosen > 0).all())
    assert torch.equal(grown(Tree(shrink="auto"), taught(labels))[1], chosen)


def test_trees_are_described_by_their_strength_draw_by_draw() -> None:
    class Unwatched:
        def watch(self, total: int, unit: str) -> object:
            return unwatched("", total, unit, 1)

    tree, teaching = Tree(shrink="auto"), taught(LABELS)
    (fitted,) = tree.train(teaching, Unwatched())  # type: ignore[arg-type]
    assert set(fitted.described) == set(tree.described)
    assert fitted.described["shrink"] == [grown(tree, teaching)[1].tolist()]
    assert set(fitted.tensors) == {"feature", "threshold", "branches", "log_p"}
    assert tree.restore({k: v[0] for k, v in fitted.tensors.items()}, (3,), 3, 4).members == 4


@pytest.mark.parametrize("draw", range(30))
def test_rounding_makes_no_probability_negative(draw: int) -> None:
    random = generator("trees", 0, draw)
    branches, count = torch.zeros(1, 2, dtype=torch.int64), torch.tensor([100.0], dtype=torch.float64)
    for _ in range(12):  # split a leaf
        leaves = (branches[:, 0] == 0).nonzero().flatten()
        leaf = leaves[torch.randint(len(leaves), (1,), generator=random)]
        share = torch.rand(1, generator=random).double()
        branches[leaf] = torch.tensor([len(count), len(count) + 1])
        branches = torch.cat([branches, torch.zeros(2, 2, dtype=torch.int64)])
        count = torch.cat([count, count[leaf] * share, count[leaf] * (1 - share)])
    pure = torch.eye(3).double()[torch.randint(3, (len(count),), generator=random)]
    means = node_means(pure, count, branches)
    for strength in STRENGTHS:
        result = shrunk(means, count, branches, strength)
        assert bool((result >= 0).all())
        torch.testing.assert_close(result.sum(1), torch.ones(len(count)).double())
        for leaf, expected in by_the_formula(branches, means, count, strength).items():
            torch.testing.assert_close(result[leaf], expected, rtol=1e-9, atol=1e-12)
