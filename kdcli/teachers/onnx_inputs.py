"""The inputs of an ONNX model: columns by name, one matrix of numbers, or images."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from kdcli.errors import KdError, nearest
from kdcli.words import listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kdcli.teachers.asked import Asked

Scaling = Literal["unit", "raw"]

FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
WHOLE = {"tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool"}
NUMBERS = {**FLOATS, **WHOLE}
TEXT = "tensor(string)"
PIXELS = "tensor(uint8)"


def model_inputs(inputs: Sequence[Any], asked: Asked, scaling: Scaling, who: str) -> dict[str, np.ndarray]:
    """Return the array for each input of a graph, `(n, *its shape)`.

    Several inputs, or one with a single column, get the columns of the table with their names. One matrix
    gets the encoded features, or the raw numeric columns, whichever has its width. Raises `KdError` for
    inputs that fit neither.
    """
    if asked.frame is None:
        if len(inputs) != 1:
            raise KdError(f"{who} has {len(inputs)} inputs: {_named(inputs)}", "images need a single input")
        return {inputs[0].name: _images(inputs[0], asked, scaling, who)}
    columns = {node.name: _column_named(node.name, asked.frame.columns) for node in inputs}
    if len(inputs) == 1 and not (inputs[0].shape[1:] in ([], [1]) and columns[inputs[0].name]):
        return {inputs[0].name: _matrix(inputs[0], asked, asked.frame, who)}
    if not inputs:
        raise KdError(f"{who} has no inputs", "it needs the columns of a table as inputs, or one matrix")
    return {node.name: _column(node, columns[node.name], asked.frame, who) for node in inputs}


def _named(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{node.name} {node.type} {_shape(node.shape)}" for node in inputs)


def _shape(sizes: Sequence[Any]) -> str:
    """Write a shape, with a letter for sizes that the graph leaves open."""
    return f"({', '.join(str(size or 'N') for size in sizes)})"


def _column_named(name: str, columns: Sequence[str]) -> str | None:
    """Return the column that an input is named after, exactly or with `_` for other characters."""
    if name in columns:
        return name
    alike = [column for column in columns if re.sub(r"\W", "_", column) == re.sub(r"\W", "_", name)]
    return alike[0] if len(alike) == 1 else None


def _is_column(node: Any) -> bool:
    """Whether an input may have the shape of one column, `(N, 1)` or `(N,)`."""
    sizes = node.shape
    return len(sizes) == 1 or (len(sizes) == 2 and (not isinstance(sizes[1], int) or sizes[1] == 1))


def _column(node: Any, name: str | None, frame: pl.DataFrame, who: str) -> np.ndarray:
    """Return one column in the form of an input."""
    if name is None:
        raise KdError(
            f"{who} has an input '{node.name}', but the table has no such column"
            f"{nearest(node.name, frame.columns)}",
            f"columns: {', '.join(frame.columns)}",
        )
    if not _is_column(node):
        raise KdError(
            f"the input '{node.name}' of {who} has the shape {_shape(node.shape)}",
            "with several inputs, each must be one column, (N, 1) or (N,)",
        )
    values = _values(frame[name], node.type, f"the input '{node.name}' of {who}")
    return values.reshape(-1, 1) if len(node.shape) == 2 else values


def _values(column: pl.Series, kind: str, what: str) -> np.ndarray:
    """Return a column `(n,)` in the type of a graph: nulls as NaN or as empty text.

    Raises `KdError` for text where numbers are needed, and for numbers that the type does not hold.
    """
    import numpy as np
    import polars as pl

    name = column.name
    if kind == TEXT:
        if column.dtype.is_float():
            raise KdError(f"{what} is text, but the column '{name}' has numbers", "make it a float input")
        return column.cast(pl.String).fill_null("").to_numpy().astype(object)
    if kind not in NUMBERS:
        raise KdError(f"{what} is of type {kind}", f"types: {', '.join([*NUMBERS, TEXT])}")
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise KdError(f"{what} is of type {kind}, but the column '{name}' has text", f"make it {TEXT}")
    dtype = NUMBERS[kind]
    if kind in WHOLE and column.null_count():
        row = column.is_null().arg_max()
        raise KdError(
            f"{what} is of type {kind}, but the column '{name}' has no value in row {(row or 0) + 1:,}",
            "make it a float input, which gets NaN for a missing value",
        )
    numbers = column.cast(pl.Float64).to_numpy() if kind in FLOATS else column.to_numpy()
    with np.errstate(all="ignore"):  # values that do not fit are reported below
        fitted = numbers.astype(dtype)
    wrong = np.isinf(fitted) & ~np.isinf(numbers) if kind in FLOATS else fitted != numbers
    if wrong.any():
        value = numbers[wrong.argmax()]
        raise KdError(f"{what} is of type {kind}, but the column '{name}' has {value:g}", "use a wider type")
    return np.asarray(fitted)


def _matrix(node: Any, asked: Asked, frame: pl.DataFrame, who: str) -> np.ndarray:
    """Return the encoded features or the raw numbers, whichever has as many columns as the single input."""
    import numpy as np

    what = f"the input '{node.name}' of {who}"
    if len(node.shape) != 2 or node.type not in FLOATS:
        raise KdError(
            f"{what} is of type {node.type} and shape {_shape(node.shape)}",
            "it needs one matrix of floats (N, columns), or inputs named after the columns of the table",
        )
    dtype, width = FLOATS[node.type], node.shape[1]
    encoded = asked.x.numpy()
    numeric = [column for column in frame if column.dtype.is_numeric()]
    fits = [not isinstance(width, int) or width == have for have in (encoded.shape[1], len(numeric))]
    raw = (
        np.stack([_values(column, node.type, what) for column in numeric], 1) if fits[1] and numeric else None
    )
    if all(fits) and (raw is None or not np.array_equal(raw.astype(np.float32), encoded.astype(np.float32))):
        fits = []
    if not any(fits):
        given = f"{encoded.shape[1]} encoded features and {len(numeric)} raw columns of numbers"
        wanted = f"{width} columns" if isinstance(width, int) else "any number of columns"
        raise KdError(
            f"{what} takes {wanted}, but the data have {given}, so it is unclear which are meant",
            "export the model with an input for each column of the table, named after it",
        )
    return encoded.astype(dtype) if raw is None else raw


def _images(node: Any, asked: Asked, scaling: Scaling, who: str) -> np.ndarray:
    """Return images in the layout and the type of the single input."""
    import numpy as np

    what, images = f"the input '{node.name}' of {who}", asked.x.numpy()
    fitting = [
        pixels
        for pixels in _layouts(images)
        if pixels.ndim == len(node.shape)
        and all(
            not isinstance(size, int) or size == have
            for size, have in zip(node.shape[1:], pixels.shape[1:], strict=True)
        )
    ]
    if len(fitting) != 1:
        how = "in more than one way" if fitting else "in no way"
        raise KdError(
            f"images of shape {images.shape[1:]} fit {what}, {_shape(node.shape)}, {how}",
            "shapes: (N, C, H, W), (N, H, W, C), (N, H, W) of grey images, (N, C·H·W)",
        )
    pixels = fitting[0]
    if node.type == PIXELS and pixels.dtype == np.uint8:
        return pixels
    if node.type not in FLOATS:
        raise KdError(
            f"{what} is of type {node.type}, but the images are {pixels.dtype}",
            f"types: {listed([*FLOATS, PIXELS], 'or')} for whole pixels",
        )
    unit = 255 if scaling == "unit" and pixels.dtype == np.uint8 else 1
    return (pixels.astype(np.float32) / np.float32(unit)).astype(FLOATS[node.type])


def _layouts(images: np.ndarray) -> list[np.ndarray]:
    """Return images in every layout that a model may want; grey ones may lack the axis of channels."""
    import numpy as np

    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    if images.ndim not in (3, 4):
        return [images] if images.ndim == 2 else [images, flat]
    channels = images[:, None] if images.ndim == 3 else images
    layouts = [channels, np.moveaxis(channels, 1, -1), flat]
    return [*layouts, channels[:, 0]] if channels.shape[1] == 1 else layouts
