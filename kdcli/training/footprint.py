"""How much memory and disk a request takes: pure formulas of sizes, in bytes, reckoned before any of it.

They count tensors and no more. float32 and its gradient take 4 bytes a number, float64 and int64 take 8.
`room` adds the factor of safety and compares with what is free.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kdcli.models import CNN, Network, Tree
from kdcli.models.mlp import AT_ONCE
from kdcli.training.loop import CURVE_POINTS

POINT = 2 * 4 + 8 + 2 * 8  # bytes of a sampled point: x (2,) float32, y int64, posterior (2,) float64
COPIES = 3  # of what is written: the tensors, the bytes of each, and the file that is made of them
SEED = 200  # bytes of a seed in the records of its set: a number, its text, and its scores
BACKWARD = 5  # of an output in a step: itself, gradients, and room that is free in pieces; measured, 5 to 9
GENERATOR = 3_000  # bytes of a random stream: PyTorch's generator, and the object around it


@dataclass(frozen=True)
class Shape:
    """The sizes that decide what a training takes.

    `features` is the shape of one example and `pixel` the bytes of one of its numbers. `train`, `val` and
    `test` count examples, those of `train` being the ones that are taught. `predicted` counts the
    examples whose logits are kept: those of the test split, or of all. `sets` are the targets of the stack,
    `seeds` the members of each. A `batch_size` of 0 takes the whole split.
    """

    features: Sequence[int]
    pixel: int
    n_classes: int
    train: int
    val: int
    test: int
    predicted: int
    sets: int
    seeds: int
    batch_size: int = 0
    epochs: int = 1

    @property
    def members(self) -> int:
        """Number of models in the stack."""
        return self.sets * self.seeds


@dataclass(frozen=True)
class Footprint:
    """What a training takes at its peak beyond the data, in bytes, by what it is taken for.

    `working` is taken in training for `batch_size` examples at once, `kept` by the end for each member.
    """

    parameters: int
    targets: int
    working: int
    kept: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.targets + self.working + self.kept


def sampled(points: int) -> tuple[int, int]:
    """Return what sampling and storing `points` of two features and two classes takes: memory and disk.

    The peak is in writing, when all splits are there `COPIES` times. Sampling itself takes less: the points
    in their first order, an index, the splits, and the posterior with its two halves.
    """
    return COPIES * POINT * points, POINT * points


def trained(model: Network, shape: Shape, *, half: bool = False) -> Footprint:
    """Return what the training of a stack takes.

    parameters   4 of each: itself, its gradient, and Adam's two moments; 2 more when they are handed over by
                 workers and joined; in bfloat16 (`half`) 1 more, for the copies that the products read and
                 the gradients they give
    targets      (sets, n_classes, n) float64: twice, while they are put together or as workers share them,
                 and labels beside them; the examples, as workers share them
    working      for the examples that are computed at once: `BACKWARD` times every layer's output, mask and
                 product besides where there is dropout, and float64 logits `BACKWARD` times where a loss is
                 recorded; a batch, as stored and as float32
    kept         logits of every member in parts and as a whole, those of one set in float64 3 times to be
                 scored; curves in points and as a whole; two random streams for each seed
    """
    outputs = model.outputs(shape.features, shape.n_classes)
    inputs, logits = outputs[0], shape.n_classes
    members, whole = shape.members, shape.batch_size == 0 or shape.batch_size >= shape.train
    masked = 2 * sum(model.hidden) if isinstance(model, CNN) else 0

    examples = max(shape.train, shape.val, shape.test)
    several = min(model.at_once(shape.features, logits, members), examples)
    copied = (
        inputs * (0 if whole else shape.seeds) * shape.batch_size
    )  # numbers of batches, one for each seed
    read = inputs * members if isinstance(model, CNN) else inputs * (shape.pixel < 4)
    step = 4 * members * (BACKWARD * (sum(outputs[1:]) + 2 * logits) + masked) + 4 * read

    taught = 8 * logits * (shape.train + shape.val)
    points = min(shape.epochs, CURVE_POINTS) + 1
    scored = 3 * 8 * shape.seeds * logits * shape.test
    return Footprint(
        parameters=(7 if half else 6) * 4 * members * model.parameters(shape.features, logits),
        targets=2 * (shape.sets + 1) * taught + shape.pixel * inputs * (shape.train + shape.val + shape.test),
        working=several * step + (shape.pixel + 4) * copied,
        kept=2 * 4 * members * logits * shape.predicted
        + scored
        + 4 * 8 * members * points
        + 2 * GENERATOR * shape.seeds,
    )


def stored(model: Network, shape: Shape) -> int:
    """Return what a stack takes on disk: parameters, logits, and the two curves of every member."""
    points = min(shape.epochs, CURVE_POINTS) + 1
    number = model.parameters(shape.features, shape.n_classes) + shape.n_classes * shape.predicted
    return shape.members * (4 * number + 2 * 8 * points)


def nodes(tree: Tree, n_train: int, *, graded: bool) -> int:
    """Return about how many nodes a tree has: one less than twice its leaves.

    Nothing tells beforehand where a tree ends. On probabilities, which differ from example to example,
    it ends where each example has a leaf; on classes far sooner, where a leaf holds but one of them: an
    eighth of the examples is what noisy labels take.
    """
    leaves = n_train // tree.min_samples_leaf
    if not graded:
        leaves = leaves // 8
    if tree.max_leaf_nodes is not None:
        leaves = min(leaves, tree.max_leaf_nodes)
    if tree.max_depth is not None and tree.max_depth < leaves.bit_length():
        leaves = min(leaves, 2**tree.max_depth)
    return 2 * max(1, leaves) - 1


def grown(tree: Tree, shape: Shape, *, graded: bool) -> Footprint:
    """Return what growing the trees of one set takes.

    parameters   the arrays of all trees, each as it was grown, side by side, and as they are written
    targets      the examples as float32, what is taught in float64 5 times over, its sorted index
    working      an example of an evaluation goes by four int64 of each tree
    kept         log-probabilities of every tree in parts and as a whole, and 3 times to be scored or written
    """
    classes, inputs = shape.n_classes, math.prod(shape.features)
    size = node_bytes(classes)
    return Footprint(
        parameters=(1 + COPIES) * size * shape.seeds * nodes(tree, shape.train, graded=graded),
        targets=shape.train * (4 * inputs + 5 * 8 * classes + 3 * 8),
        working=4 * 8 * shape.seeds * min(AT_ONCE, shape.test),
        kept=5 * 8 * shape.seeds * classes * shape.test,
    )


def grown_stored(tree: Tree, shape: Shape, *, graded: bool) -> int:
    """Return what the trees of one set take on disk."""
    each = node_bytes(shape.n_classes) * nodes(tree, shape.train, graded=graded)
    return shape.seeds * (each + 8 * shape.n_classes * shape.test)


def node_bytes(n_classes: int) -> int:
    """Return the bytes of a node's arrays: feature, threshold, two branches and log-probabilities."""
    return 8 * (1 + 1 + 2 + n_classes)
