"""The user's own arrays in an NPZ file: `x` and `y`, or `x_train`, `y_train` and so on, as in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.data.dataset import Sample
from kdcli.data.numpy_files import read_arrays
from kdcli.data.owned import Owned, dataset_of, digest_of, pooled
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.settings import setting

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PARTS = {
    "rows": ("x", "y"),
    "train": ("x_train", "y_train"),
    "val": ("x_val", "y_val"),
    "test": ("x_test", "y_test"),
}
AGAIN = "save them again with `np.savez(file, x=x, y=y)`: numbers in x, whole numbers or text in y"


@dataclass(frozen=True)
class Arrays(Owned):
    """Options of the user's own arrays."""

    file: str = setting("", "the NPZ file", metavar="FILE")


def opened(config: Arrays, watch: Watch = unwatched) -> tuple[Arrays, Callable[[], Sample]]:
    """Read the file that the options name, as `Dataset.opened` says."""
    if not config.file:
        raise UsageError("name a file of arrays", ("for example ", Command("gen-data", ("FILE.npz",))))
    path = Path(config.file).absolute()
    config = replace(config, file=str(path), digest=digest_of([path], config.digest))
    found = _read(path)
    rows = sum(len(y) for _, y in found.values())
    config = config.resolved(rows, found)
    return config, lambda: _sample(config, path, found)


def _read(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return x and y of each part of the file; raises `KdError` if arrays are missing or unusable."""
    import numpy as np

    arrays = read_arrays(path, AGAIN)
    found = {part: (arrays[x], arrays[y]) for part, (x, y) in PARTS.items() if x in arrays and y in arrays}
    if not ({"rows", "train"} & set(found)) or (len(found) > 1 and "rows" in found):
        names = ", ".join(arrays) or "none"
        raise KdError(
            f"{path} has the arrays {names}", "it needs x and y, or x_train, y_train, x_test and y_test"
        )
    for part, (x, y) in found.items():
        _check(path, part, x, y)
    (first_name, first), *others = ((PARTS[part][0], x) for part, (x, _) in found.items())
    for name, x in others:
        for what, differ in (
            ("shapes", x.shape[1:] != first.shape[1:]),
            ("types", (x.dtype == np.uint8) != (first.dtype == np.uint8)),
        ):
            if differ:
                raise KdError(
                    f"{path}: {first_name} and {name} have different {what}: {first.shape} {first.dtype} and "
                    f"{x.shape} {x.dtype}",
                    AGAIN,
                )
    return found


def _check(path: Path, part: str, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
    import numpy as np

    names = " and ".join(PARTS[part])
    if x.ndim not in (2, 3, 4) or not x.size or y.shape not in ((len(x),), (len(x), 1)):
        raise KdError(
            f"{path}: {names} have the shapes {x.shape} and {y.shape}",
            "x needs (n, features), (n, rows, columns) or (n, rows, columns, channels), and y (n,)",
        )
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biufSU":
        raise KdError(f"{path}: {names} have the types {x.dtype} and {y.dtype}", AGAIN)
    for name, values in zip(PARTS[part], (x, y), strict=True):
        if values.dtype.kind != "f":
            continue
        with np.errstate(over="ignore"):
            finite = np.isfinite(values.astype(np.float32)).reshape(len(values), -1).all(1)
        if not finite.all():
            raise KdError(
                f"{path}: {name} has a value in row {int(finite.argmin()) + 1} that is not a finite 32-bit "
                "number",
                AGAIN,
            )


def _sample(config: Arrays, path: Path, found: Mapping[str, tuple[Any, Any]]) -> Sample:
    import numpy as np

    x = np.concatenate([x for x, _ in found.values()])
    labels = [_as_text(label) for _, y in found.values() for label in y.reshape(-1).tolist()]
    parts = [part for part, (_, y) in found.items() for _ in range(len(y))]
    pool, classes, drawing = pooled(config, _as_tensor(x), labels, parts, "y")
    names = tuple(f"x{k + 1}" for k in range(x.shape[1])) if x.ndim == 2 else ()
    return Sample(pool, classes, names, drawing=drawing)


def _as_text(label: Any) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)


def _as_tensor(x: np.ndarray[Any, Any]) -> Tensor:
    """Return images of uint8 as they are, and everything else as float32; channels come first."""
    import numpy as np
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32)))
    return tensor.movedim(-1, 1).contiguous() if tensor.ndim == 4 else tensor


DATASET = dataset_of("arrays of your own in an NPZ file", Arrays, opened, standardise=True)
