"""Small data files of a user, written into the working folder, and the options that name them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from kdcli.data.dataset import Sample
from kdcli.data.table import Tabular, opened

CLASSES = ("cat", "dog", "fox")
SHARED = Path(__file__).resolve().parents[3] / "shared/data/tables"


def labelled_pixels(n: int = 60, size: int = 6) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return grey images `(n, size, size)` of three classes in turn, all different."""
    y = np.arange(n) % 3
    x = np.random.default_rng(0).integers(0, 200, (n, size, size), dtype=np.uint8)
    x[np.arange(n), y, 0] += 50
    return x, y


def own_table() -> str:
    """Write a table of sixty rows, and return its name."""
    x, y = labelled_pixels()
    rows = [
        f"{a},{b},{'red' if a > 99 else 'blue'},{CLASSES[k]}"
        for a, b, k in zip(x[:, 0, 1], x[:, 1, 1], y, strict=True)
    ]
    return written("own.csv", "a,b,colour,animal\n" + "\n".join(rows) + "\n")


def own_arrays() -> str:
    """Write sixty images as arrays, and return the name of the file."""
    x, y = labelled_pixels()
    np.savez("own.npz", x=x, y=y)
    return "own.npz"


def own_images(folder: str = "own") -> str:
    """Write sixty images into a folder for each class, named in their order, and return the folder's name."""
    for k, (pixels, label) in enumerate(zip(*labelled_pixels(), strict=True)):
        path = Path(folder) / CLASSES[label] / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


def own(name: str) -> dict[str, Any]:
    """Write the files of a user's dataset, and return the options that name them."""
    if name == "table":
        return {"file": own_table(), "label": "animal"}
    return {"file": {"arrays": own_arrays, "images": own_images}[name]()}


def written(name: str, content: str | bytes) -> str:
    """Write a file, and return its name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def sampled(content: str, label: str = "y", **options: Any) -> Sample:
    """Write a table and sample it, in one draw by default."""
    config = Tabular(**{"file": written("table.csv", content), "label": label, "draws": 1, **options})
    return opened(config)[1]()
