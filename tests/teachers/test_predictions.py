from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from data.made import SHARED, written
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdcli.data.dataset import Source
from kdcli.errors import KdError, UsageError
from kdcli.teachers.answers import logits_from
from kdcli.teachers.predictions import read_predictions

TWO, THREE = ("no", "yes"), ("a", "b", "c")
FORMATS = ["p.csv", "p.tsv", "p.parquet", "p.feather", "p.npz", "p.npy"]
HALVES = "p_no,p_yes\n.5,.5\n.25,.75\n"


def rows(n: int, ids: Sequence[str] | None = None, position: Sequence[int] = (), in_all: int = 0) -> Source:
    return Source(
        frame=None,
        place=lambda row: f"example {row + 1}",
        position=torch.tensor(position or range(n)),
        in_all=in_all or n,
        values=None if ids is None else lambda column: ids,
    )


def read(name: str, n: int = 2, classes: tuple[str, ...] = TWO, **options: Any) -> Tensor:
    return read_predictions(Path(name), rows(n), classes, **options)


def of_text(content: str, n: int = 2, classes: tuple[str, ...] = TWO, **options: Any) -> Tensor:
    return read(written("p.csv", content), n, classes, **options)


def expected(p: Any, classes: tuple[str, ...] = TWO) -> Tensor:
    return logits_from(np.asarray(p), classes, "", place=str)


def save(name: str, p: Any, names: Sequence[str]) -> str:
    """Write a matrix into a file of the kind that its name says."""
    if name.endswith(".npz"):
        np.savez(name, p=p)
    elif name.endswith(".npy"):
        np.save(name, p)
    else:
        frame = pl.DataFrame(dict(zip(names, p.T, strict=True)))
        {
            ".csv": lambda: frame.write_csv(name),
            ".tsv": lambda: frame.write_csv(name, separator="\t"),
            ".parquet": lambda: frame.write_parquet(name),
            ".feather": lambda: frame.write_ipc(name),
        }[Path(name).suffix]()
    return name


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 30))
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_probabilities_have_the_same_logits_from_any_file(
    name: str, seed: int, n_classes: int, n: int
) -> None:
    p = np.random.default_rng(seed).dirichlet([0.3] * n_classes, n)
    classes = tuple(f"c{k}" for k in range(n_classes))
    assert torch.equal(read(save(name, p, classes), n, classes), expected(p, classes))


@pytest.mark.parametrize("name", ["p.parquet", "p.npz", "p.npy"])
def test_log_softmax_in_32_bits_keeps_its_bits(name: str) -> None:
    z = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    p = z.log_softmax(1).exp().numpy()
    assert torch.equal(read(save(name, p, THREE), 40, THREE), expected(p.astype(np.float64), THREE))
    save(name, z.numpy(), [f"logit_{k}" for k in THREE])
    assert torch.equal(read(name, 40, THREE, logits=True), z.double())


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(4)), st.sampled_from(["", "p_", "probability_"]))
def test_columns_are_found_by_name_in_any_order(order: list[int], prefix: str) -> None:
    p = np.random.default_rng(0).dirichlet([1] * 4, 9)
    classes = tuple("wxyz")
    save("p.csv", p[:, order], [prefix + classes[k] for k in order])
    assert torch.equal(read("p.csv", 9, classes), expected(p, classes))


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(9)), st.sampled_from(["p.csv", "p.parquet", "p.npz"]), st.booleans())
def test_rows_are_found_by_id_in_any_order(order: list[int], name: str, texts: bool) -> None:
    p = np.random.default_rng(0).dirichlet([1] * 3, 9)
    ids = np.array([f"k{k}" for k in range(9)]) if texts else np.arange(9) * 7.0
    if name == "p.npz":
        np.savez(name, key=ids[order], p=p[order])
    else:
        frame = pl.DataFrame({"key": ids[order], **dict(zip(THREE, p[order].T, strict=True))})
        frame.write_csv(name) if name == "p.csv" else frame.write_parquet(name)
    wanted = [str(value) if texts else str(int(value)) for value in ids[2:]]  # two more in the file
    logits = read_predictions(Path(name), rows(7, wanted), THREE, id_column="key")
    assert torch.equal(logits, expected(p[2:], THREE))


def test_rows_are_those_of_the_source_or_of_the_examples() -> None:
    p = np.random.default_rng(0).dirichlet([1, 1], 5)
    examples = rows(3, position=[0, 2, 4], in_all=5)
    assert torch.equal(read_predictions(Path(save("p.csv", p, TWO)), examples, TWO), expected(p[[0, 2, 4]]))
    assert torch.equal(read_predictions(Path(save("p.npy", p[:3], TWO)), examples, TWO), expected(p[:3]))
    with pytest.raises(KdError, match=r"p\.csv has 4 rows, but the data have 5, 3 of them examples"):
        read_predictions(Path(save("p.csv", p[:4], TWO)), examples, TWO)


def test_rows_that_are_no_examples_may_have_anything() -> None:
    written("p.csv", "p_yes\n.5\nunknown\n.75\n?\n")
    assert torch.equal(
        read_predictions(Path("p.csv"), rows(2, position=[0, 2], in_all=4), TWO), expected([0.5, 0.75])
    )


@pytest.mark.parametrize(
    "content",
    [
        HALVES,
        "p_yes,p_no\n50,50\n75,25\n",
        "p_yes\n.5\n.75\n",
        "p_no\n0.5\n0.25\n",
        "P_NO\n50\n25\n",
        "no;yes\n0,5;0,5\n0,25;0,75\n",
        ".5,.5\n.25,.75\n",
        "0,1\n.5,.5\n.25,.75\n",
        ",no,yes\n0,.5,.5\n1,.25,.75\n",
        "index,0,1\n3,.5,.5\n7,.25,.75\n",
        "prediction,a,b\nno,.5,.5\nyes,.25,.75\n",
        "outcome,a,b\nno,.5,.5\nyes,.25,.75\n",
        "prediction\n.5\n.75\n",
    ],
)
def test_tables_that_say_the_same_in_other_ways(content: str) -> None:
    torch.testing.assert_close(of_text(content), expected([0.5, 0.75]))


def test_a_column_that_counts_rows_is_an_index_by_any_name() -> None:
    assert torch.equal(of_text("Id,target\n1461,.5\n1462,.2\n1463,.7\n", 3), expected([0.5, 0.2, 0.7]))


def test_an_index_that_is_not_in_order_asks_for_ids() -> None:
    content = "index,p_yes\n4,.5\n7,.2\n6,.7\n"
    with pytest.raises(
        KdError, match=r"p\.csv, line 4: the index in column 'index' is not in order"
    ) as problem:
        of_text(content, 3)
    assert "--id" in str(problem.value.hint)
    logits = read_predictions(Path("p.csv"), rows(2, ["6", "4"]), TWO, id_column="index")
    assert torch.equal(logits, expected([0.7, 0.5]))


def test_a_header_of_numbers_is_one_beside_a_column_of_ids() -> None:
    written("p.csv", "id,1,0\nx,.5,.5\ny,.75,.25\n")
    logits = read_predictions(Path("p.csv"), rows(2, ["y", "x"]), ("0", "1"), id_column="id")
    assert torch.equal(logits, expected([0.75, 0.5]))


def test_logits_of_tables() -> None:
    content = "logit_no,logit_yes\n1.5,-2\n-inf,3\n"
    assert of_text(content, logits=True).tolist() == [[1.5, -2], [-float("inf"), 3]]
    assert of_text("logit_no\n1.5\n-2\n", logits=True).tolist() == [[1.5, 0], [-2, 0]]
    with pytest.raises(KdError, match="has logits, by the names") as problem:
        of_text(content)
    assert "--logits" in str(problem.value.hint)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("p_no,p_yes\n.5,.5\n.2,high\n", r"p\.csv, line 3: column 'p_yes' has 'high', which is not a number"),
        (
            "p_no,p_yes\n.5,.5\n.2,?\n",
            r"1 row with a value that is missing or not finite, first in line 3",
        ),
        ("p_no,p_yes\n.5,.5\n.2,.9\n", r"^p\.csv, line 3: 0\.2 and 0\.9 sum to 1\.1"),
        ("p_no,p_yes\n.5,\n.2,\n", "2 rows with a value that is missing"),
        ("p_no\n.5\n?\n", r"1 row with a value that is missing .* line 3"),
        ("p_no,p_yes\n.5,.5\n.5,.5\n", "gives the same answer for every row"),
        ("a,b,c\n.5,.5,0\n.5,.5,0\n", "its columns are a, b and c"),
        ("prediction\nyes\nno\n", "its columns are none, apart from prediction, skipped"),
        ("p_no,p_yes\n.5,.5\n", "has 1 row, but the data have 2"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(content: str, words: str) -> None:
    with pytest.raises(KdError, match=words) as problem:
        of_text(content)
    assert problem.value.hint


def test_a_column_that_is_no_number_by_its_type_is_named() -> None:
    pl.DataFrame({"p_yes": pl.Series([0, 1]).cast(pl.Date)}).write_parquet("p.parquet")
    with pytest.raises(KdError, match="column 'p_yes' is of the type Date"):
        read("p.parquet")


@pytest.mark.parametrize("name", ["p.csv", "p.npz"])
def test_a_column_of_ids_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    save(name, np.array([[0.5, 0.5], [0.2, 0.8]]), ["p_no", "p_yes"])
    with pytest.raises(UsageError, match=f"--id: {name} has no column 'key'") as problem:
        read_predictions(Path(name), rows(2, ["x", "y"]), TWO, id_column="key")
    assert problem.value.hint == "its columns: " + ("p_no, p_yes" if name == "p.csv" else "p")


P = np.array([[0.5, 0.5], [0.2, 0.8]])


@pytest.mark.parametrize(
    "arrays",
    [
        {"p": P},
        {"anything": P},
        {"Probabilities": P, "y": np.array([0, 1])},
        {"proba": P, "y_pred": np.array([0, 1])},
        {"y_pred": P, "y": np.array([0, 1])},
        {"p": P[:, 1], "logits": P},
    ],
)
def test_the_array_of_answers_is_the_only_one_or_known_by_its_name(arrays: dict[str, Any]) -> None:
    np.savez("p.npz", **arrays)
    torch.testing.assert_close(read("p.npz"), expected(P))


def test_an_array_of_logits_is_taken_where_it_is_asked_for() -> None:
    np.savez("p.npz", logits=10 * P, p=P)
    assert read("p.npz", logits=True).tolist() == (10 * P).tolist()
    np.savez("p.npz", logits=10 * P)
    with pytest.raises(KdError, match="has logits, by the name"):
        read("p.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"u": P, "v": P}, "has the arrays u, v"),
        ({"p": P, "proba": P}, "has the arrays p, proba"),
        ({}, "has the arrays none"),
        ({"p": np.array(0.5)}, r"arrays of the shape \(\)"),
        ({"p": P.astype(object)}, "Python objects, which kd does not load"),
        ({"p": P.astype(str)}, "answers of the type <U32"),
        ({"p": P[:, :, None]}, r"shape \(2, 2, 1\)"),
        ({"p": [[0.5, 0.5], [0.2, 0.7]]}, r"^p\.npz, row 2: 0\.2 and 0\.7 sum to 0\.9"),
    ],
)
def test_what_is_wrong_in_arrays_is_named(arrays: dict[str, Any], words: str) -> None:
    np.savez("p.npz", **arrays)
    with pytest.raises(KdError, match=words) as problem:
        read("p.npz")
    assert problem.value.hint


def test_ids_in_arrays_are_one_for_each_row() -> None:
    np.savez("p.npz", p=P, key=np.array([b"x", b"y"]))
    logits = read_predictions(Path("p.npz"), rows(2, ["y", "x"]), TWO, id_column="key")
    assert torch.equal(logits, expected(P[::-1]))
    np.savez("p.npz", p=P, key=np.arange(3))
    with pytest.raises(KdError, match=r"shape \(2, 2\) and \(3,\)"):
        read_predictions(Path("p.npz"), rows(2, ["0", "1"]), TWO, id_column="key")


def test_other_files_are_refused_with_those_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"p\.xlsx is not a file of predictions") as problem:
        read("p.xlsx")
    assert "Parquet" in str(problem.value.hint)
    for name in FORMATS:
        with pytest.raises(KdError, match=f"cannot read .*gone-{name}"):
            read(f"gone-{name}")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the tables are not there")
def test_a_real_table_with_its_predictions_beside_it() -> None:
    lines = (SHARED / "adult-test.csv").read_text().splitlines()
    n = sum(1 for line in lines if line.strip())
    p = np.random.default_rng(0).beta(0.5, 1, n)
    frame = pl.DataFrame({"row": np.arange(n), "p_>50K": p, "prediction": np.where(p > 0.5, ">50K", "<=50K")})
    frame.write_csv("p.csv")
    logits = read("p.csv", n, ("<=50K", ">50K"))
    assert torch.equal(logits, expected(p))
