from pathlib import Path

import numpy as np
import pytest
from data.made import written

from kdcli.data.numpy_files import read_arrays
from kdcli.errors import KdError

X = np.arange(6.0).reshape(2, 3)


def test_arrays_are_read_by_name_and_that_of_an_npy_file_by_its_stem() -> None:
    np.savez("a.npz", x=X, y=X[0])
    assert {name: array.tolist() for name, array in read_arrays(Path("a.npz"), "").items()} == {
        "x": X.tolist(),
        "y": X[0].tolist(),
    }
    np.save("b.npy", np.asfortranarray(X))
    assert {name: array.tolist() for name, array in read_arrays(Path("b.npy"), "").items()} == {
        "b": X.tolist()
    }


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_objects_are_not_loaded(name: str) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    if name == "a.npy":
        np.save(name, objects)
    else:
        np.savez(name, x=objects)
    with pytest.raises(KdError, match="holds Python objects, which kd does not load") as problem:
        read_arrays(Path(name), "again")
    assert problem.value.hint == "again"


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_damage_and_other_files_are_told_with_the_kind_expected(kind: str) -> None:
    np.savez("good.npz", x=X)
    np.save("good.npy", X)
    content = Path(f"good.{kind}").read_bytes()
    other = Path("good.npy" if kind == "npz" else "good.npz").read_bytes()
    for damaged in (b"", b"x", content[:-30], content[:100], other):
        with pytest.raises(KdError, match=f"is damaged, or not an {kind.upper()} file") as problem:
            read_arrays(Path(written(f"bad.{kind}", damaged)), "again")
        assert problem.value.hint == "again"


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_file_that_is_not_there_or_a_folder_cannot_be_read(kind: str) -> None:
    Path(f"folder.{kind}").mkdir()
    for name in ("gone", "folder"):
        with pytest.raises(KdError, match=f"cannot read {name}"):
            read_arrays(Path(f"{name}.{kind}"), "")
