"""Arrays from NumPy files, which may be damaged and are never unpickled."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DAMAGED = (  # what NumPy, and the modules that it decompresses with, raise
    OSError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    TypeError,
    SyntaxError,
    RuntimeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)


def read_arrays(path: Path, again: str) -> dict[str, Array]:
    """Return the arrays of an NPZ file by name, or that of an NPY file under its stem.

    Raises `KdError` for a file that cannot be read, is damaged or holds objects, with the hint `again`.
    """
    single = path.suffix.lower() == ".npy"
    try:
        return {path.stem: _single(path)} if single else _several(path)
    except DAMAGED as error:
        if "allow_pickle" in str(error):
            raise KdError(f"{path} holds Python objects, which kd does not load", again) from None
        if isinstance(error, OSError) and error.strerror:
            hint = "check the path, and that it may be read"
            raise KdError(f"cannot read {path}: {error.strerror}", hint) from None
        kind = "NPY" if single else "NPZ"
        raise KdError(f"{path} is damaged, or not an {kind} file: {error}", again) from None


def _single(path: Path) -> Array:
    import numpy as np

    with path.open("rb") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _several(path: Path) -> dict[str, Array]:
    import numpy as np

    with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
        arrays: dict[str, Array] = {name: file[name] for name in file.files}
    if odd := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{odd[0]} is not an array")
    return arrays
