import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exporting import (
    answered_features,
    image_stacks,
    leaving,
    leaving_images,
    network,
    stacks,
    training_rows,
)

from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import Encoded
from kdcli.errors import KdError
from kdcli.exports import FORMATS, Exported, Rows
from kdcli.exports.kind import NotAtHandError, Ran
from kdcli.exports.made import rows_of, table_of
from kdcli.exports.proof import Proof, Unproven, at_edges, prove

RUNS = [name for name, kind in FORMATS.items() if kind.run]
needs = {"javascript": "node", "c": "cc"}


def format_of(name: str) -> object:
    missing = name in needs and not shutil.which(needs[name])
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"needs {needs.get(name)}"))


each_format = pytest.mark.parametrize("name", [format_of(name) for name in RUNS])


def proven(name: str, student: Exported, rows: Rows) -> Proof:
    kind = FORMATS[name]
    assert not kind.obstacle(student)
    path = Path(f"student{kind.suffix}")
    path.write_bytes(kind.write(student))
    proof = prove(kind, path, student, student.golden, rows, len(rows.x), 1)
    assert isinstance(proof, Proof), proof
    assert proof.size == path.stat().st_size
    return proof


@each_format
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", ["mlp", "linear", "tree", "forest", "gbdt"])
def test_rows_have_the_answers_that_they_have_in_kd(family: str, classes: int, name: str) -> None:
    stack = stacks(classes)[family]
    student = leaving(stack)
    edges = at_edges(student, np.random.default_rng(0))
    assert (len(edges) > 0) == bool(student.computation.trees)
    rows = answered_features(stack, np.concatenate([training_rows(seed=8), edges]))
    proof = proven(name, student, rows)
    assert proof.tested == len(rows.x)
    assert proof.difference < 1e-5
    assert 0 < proof.median_us <= proof.p95_us


@each_format
@pytest.mark.parametrize("is_bytes", [False, True])
@pytest.mark.parametrize("family", ["cnn", "mlp", "tree"])
def test_images_have_the_answers_that_they_have_in_kd(family: str, is_bytes: bool, name: str) -> None:
    student, rows = leaving_images(image_stacks()[family], is_bytes=is_bytes)
    assert proven(name, student, rows).difference < 1e-5


@each_format
def test_a_difference_is_found(name: str) -> None:
    student = leaving(stacks()["mlp"])
    rows = answered_features(stacks()["mlp"], training_rows(seed=8))
    other = replace(student, computation=stacks()["linear"].computation, golden=student.golden.first(0))
    if name == "c":  # which has golden vectors in it, and C has no empty arrays
        other = replace(other, golden=answered_features(stacks()["linear"], student.golden.x))
    with pytest.raises(KdError, match=r"disagrees with the student: .* has different probabilities for"):
        proven(name, other, rows)


def running(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Exported, Rows], Ran]:
    """A program that predicts as kd does, except for a change of the probabilities."""

    def run(path: Path, student: Exported, rows: Rows) -> Ran:
        p = change(rows.p.copy())
        return Ran("a mill", p, p.argmax(1), [3.0, 1.0, 2.0])

    return run


def prove_with(change: Callable[[np.ndarray], np.ndarray], p: list[list[float]]) -> Proof | Unproven:
    Path("student").write_text("12345")
    student = leaving(stacks()["linear"])
    x = student.x[: len(p)]
    kind = replace(FORMATS["python"], run=running(change))
    rows = Rows([[]] * len(p), x, np.array(p))
    return prove(kind, Path("student"), student, rows.first(0), rows, 7, 1)


def test_near_ties_are_counted_apart() -> None:
    def flipped(p: np.ndarray) -> np.ndarray:
        p[0] = p[0, ::-1]
        return p

    proof = prove_with(flipped, [[0.500001, 0.499999], [0.5, 0.5], [0.9, 0.1]])
    assert isinstance(proof, Proof)
    assert (proof.near, proof.near_alike, proof.tested, proof.of) == (2, 1, 3, 7)
    assert proof.difference == pytest.approx(2e-6)
    assert (proof.median_us, proof.p95_us, proof.size) == (2.0, 2.0, 5)


def test_another_class_is_refused_where_the_probabilities_are_near() -> None:
    def moved(p: np.ndarray) -> np.ndarray:
        return p + np.array([-9e-6, 9e-6])

    with pytest.raises(KdError, match=r"has a different class for 1 row of 2, first test example 2"):
        prove_with(moved, [[0.9, 0.1], [0.500008, 0.499992]])


@pytest.mark.parametrize("odd", [np.nan, np.inf, 0.7])
def test_what_is_no_such_probability_is_refused(odd: float) -> None:
    def spoiled(p: np.ndarray) -> np.ndarray:
        p[1, 0] = odd
        return p

    with pytest.raises(
        KdError, match=r"a mill does not return probabilities for each row|first test example 2 \(0.7"
    ):
        prove_with(spoiled, [[0.9, 0.1], [0.6, 0.4]])


def test_what_cannot_be_run_is_unproven() -> None:
    def nothing(path: Path, student: Exported, rows: Rows) -> Ran:
        raise NotAtHandError("there is no mill")

    Path("student").write_text("12345")
    student = leaving(stacks()["linear"])
    rows = student.golden
    kind = replace(FORMATS["python"], run=nothing)
    assert prove(kind, Path("student"), student, rows, rows, 8, 1) == Unproven("there is no mill", 5)
    rules = FORMATS["rules"]
    assert isinstance(prove(rules, Path("student"), student, rows, rows, 8, 1), Unproven)


def test_as_many_rows_as_can_be_run_in_a_while() -> None:
    student = leaving(stacks()["linear"])
    rows = answered_features(stacks()["linear"], training_rows())
    kind = FORMATS["python"]
    Path("student.py").write_bytes(kind.write(student))
    proof = prove(kind, Path("student.py"), student, student.golden, rows, 60, int(kind.speed))
    assert isinstance(proof, Proof)
    assert (proof.tested, proof.of, proof.made) == (30, 60, 8)


def test_numbers_that_are_large_and_vary_little() -> None:
    columns = (Encoded("year", "number"), Encoded("day", "date", format="%Y-%m-%d"))
    random = np.random.default_rng(0)
    x = np.stack([random.integers(2006, 2011, 50), random.integers(19_000, 19_007, 50)], 1).astype(np.float32)
    x = applied(table_of(columns, rows_of(columns, np.concatenate([x, x], 1))), columns).numpy()
    stack = network(x, 7, 2)
    rows = answered_features(stack, x, columns)
    assert rows.p.std(0).max() > 0.01
    student = replace(leaving(stack, columns), x=rows.x, golden=rows.first(8))
    for name in RUNS:
        if name not in needs or shutil.which(needs[name]):
            assert proven(name, student, rows).difference < 2e-6
