"""The process that runs the user's own function; it is the only place in kd that runs such code.

The rows are in a folder, to which the answer is written, or the reason why there is none.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from kdcli.errors import KdError, nearest
from kdcli.words import shortened

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

ROWS, IMAGES = "rows.arrow", "images.npy"
FRAME, ARRAY, FAILURE = "answer.arrow", "answer.npy", "failure.json"
MACHINERY = (__file__, importlib.__file__, importlib.util.__file__)
LINES = 8  # of the user's traceback that are shown
FRAMES = "the rows are a Polars DataFrame, and rows.to_pandas() is one of pandas (with pyarrow installed); "
LONG = 300  # characters of an exception's message that are shown


def is_file(module: str) -> bool:
    """Whether a module is named by the path of its file."""
    return module.endswith(".py")


class _RefusedError(KdError):
    """An error that kd itself finds, as opposed to exceptions of the user's code, even a `KdError`."""


def main() -> NoReturn:
    """Call the named function of a module that is imported by its name, or from its file."""
    folder, module, file, name, who = sys.argv[1:]
    del sys.argv[1:]
    try:
        given = _given(Path(folder))  # before the user's modules can shadow imports
        _write(_function(module, file, name)(given), Path(folder), who)
    except BaseException as error:
        refusal = error if isinstance(error, _RefusedError) else _failure(error, file, who)
        Path(folder, FAILURE).write_text(json.dumps([refusal.message, refusal.hint]))
    os._exit(0)  # do not wait for threads of the user's code


def _given(folder: Path) -> pl.DataFrame | np.ndarray:
    import numpy as np
    import polars as pl

    if (folder / ROWS).is_file():
        return pl.read_ipc(folder / ROWS)
    return np.load(folder / IMAGES, allow_pickle=False)  # type: ignore[no-any-return]


def _function(module: str, file: str, name: str) -> Callable[[Any], Any]:
    value: Any = _imported_file(Path(file)) if is_file(module) else _imported_module(module)
    for part in name.split("."):
        if not hasattr(value, part):
            names = [known for known in dir(value) if not known.startswith("_")]
            raise _RefusedError(
                f"{file} has no function '{name}'{nearest(part, names)}", "give it as module:function"
            )
        value = getattr(value, part)
    if not callable(value):
        kind = type(value).__name__
        raise _RefusedError(f"'{name}' of {module} is not a function, but of type {kind}", "name a function")
    function: Callable[[Any], Any] = value
    return function


def _imported_module(module: str) -> ModuleType:
    """Import a module, searched in the current folder first."""
    sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(module)


def _imported_file(path: Path) -> ModuleType:
    """Import a file, whose folder is searched for its imports."""
    sys.path.insert(0, str(path.parent))
    # A file with the name of another module, such as random.py, must not replace it.
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"teacher_{path.stem}" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - it is a file that ends in .py
    assert spec.loader is not None  # noqa: S101 - a file has one
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and unpickled objects look for it
    spec.loader.exec_module(module)
    return module


def _write(answer: Any, folder: Path, who: str) -> None:
    """Write the answer as a table or as an array; raises `KdError` if it is neither."""
    import numpy as np

    if answer is None:
        raise _RefusedError(f"{who} returns None", "it must return a number for each class for each row")
    frame = _as_frame(answer)
    if frame is None:
        np.save(folder / ARRAY, _as_array(answer, who), allow_pickle=False)
    else:
        frame.write_ipc(folder / FRAME)


def _as_frame(answer: Any) -> pl.DataFrame | None:
    """Return a frame of Polars or pandas as one of Polars; None for other answers."""
    import polars as pl

    frame = answer
    if not isinstance(frame, pl.DataFrame):
        if not (hasattr(answer, "columns") and hasattr(answer, "to_numpy")):
            return None
        frame = pl.DataFrame({str(name): answer[name].to_list() for name in answer.columns})
    objects = [column for column in frame if column.dtype == pl.Object]  # cannot be written to a file
    return frame.with_columns(pl.Series(each.name, list(map(str, each)), pl.String) for each in objects)


def _as_array(answer: Any, who: str) -> np.ndarray:
    """Return a tensor, or anything that NumPy can convert to an array of numbers, as an array."""
    import numpy as np

    torch = sys.modules.get("torch")
    if torch and isinstance(answer, torch.Tensor):
        return answer.detach().cpu().double().numpy()  # type: ignore[no-any-return]
    try:
        values = np.asarray(answer)
        return values.astype(np.float64) if values.dtype.kind in "OV" else values
    except (TypeError, ValueError):
        kind = type(answer).__name__
        raise _RefusedError(
            f"{who} returns no numbers, but {kind}",
            "it must return a number for each class, as predict_proba does",
        ) from None


def _failure(error: BaseException, file: str, who: str) -> KdError:
    """Return the error message for an exception in the user's code."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen importlib")
    ]
    frames = list(dropwhile(lambda frame: frame.filename in MACHINERY, frames))
    own = [frame for frame in frames if frame.filename == file] or frames
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    lines = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
    shown = "\n".join(lines.rstrip().splitlines()[-LINES:])
    hint = FRAMES if type(getattr(error, "obj", None)).__module__.startswith("polars") else ""
    return KdError(f"{who} raises {shortened(what, LONG)}{where}", f"{hint}its own traceback ends:\n{shown}")
