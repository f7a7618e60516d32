"""A Python function of the user's as a teacher: `package.module:function` or `path/file.py:function`.

This is the one place in kd that runs a user's code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from itertools import dropwhile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError, nearest
from kdcli.teachers.asked import Asked
from kdcli.teachers.tables import table_answers
from kdcli.words import counted, shortened

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MACHINERY = (__file__, functools.__file__, importlib.__file__, importlib.util.__file__)
LINES = 8  # of the user's traceback that are shown
LONG = 300  # characters of an exception's message that are shown


@dataclass(frozen=True)
class FunctionTeacher:
    """A function that gets a Polars DataFrame of raw rows, or of images the NumPy array, and returns numbers.

    `module` is a module's name, searched in the current folder first, or a path that ends in .py, whose
    folder is searched for what it imports. `name` may be dotted: `model.predict_proba`.
    """

    module: str
    name: str

    @property
    def who(self) -> str:
        """The function within a sentence."""
        return f"the function '{self.name}' of {self.module}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file that defines the function's module; raises `KdError` if there is none."""
        with self._own_code():
            return hashlib.sha256(Path(str(self._spec.origin)).read_bytes()).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the function's answer; raises `KdError` for whatever goes wrong.

        The columns of a frame are found by the names of the classes, or by their order.
        """
        import numpy as np

        rows = len(asked.x)
        if not rows:
            return np.empty((0, len(asked.classes)))
        # Copies, since the function might write into what it gets.
        given = asked.x.numpy().copy() if asked.frame is None else asked.frame.clone()
        with self._own_code():
            answer = self._function(given)
            frame = _as_frame(answer)
        if frame is None:
            values = _as_array(answer, self.who)
        else:
            values = table_answers(frame, asked.classes, self.who, logits=asked.logits)
        if values.shape[:1] != (rows,):
            raise KdError(
                f"{self.who} returns the shape {values.shape} when given {counted(rows, 'row')}",
                "it needs a row for each, with a number for each class",
            )
        return values

    @contextmanager
    def _own_code(self) -> Iterator[None]:
        """Run the user's code: its folder on the import path, its output on stderr, its failures told."""
        folder = str(Path(self.module).absolute().parent if self._is_file else Path.cwd())
        sys.path.insert(0, folder)
        try:
            with _stdout_to_stderr():
                yield
        except KdError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(error) from error
        finally:
            with suppress(ValueError):  # if that code took it away
                sys.path.remove(folder)

    @property
    def _is_file(self) -> bool:
        return self.module.endswith(".py")

    @cached_property
    def _spec(self) -> ModuleSpec:
        """Where the module is; raises `KdError` if it is nowhere, or has no file."""
        importlib.invalidate_caches()
        spec = self._spec_of_file() if self._is_file else _spec_of_module(self.module)
        if not spec.has_location:
            raise KdError(f"the module {self.module} has no file", "put the function in a file of its own")
        return spec

    def _spec_of_file(self) -> ModuleSpec:
        path = Path(self.module).absolute()
        if not path.is_file():
            others = [str(Path(self.module).parent / other.name) for other in path.parent.glob("*.py")]
            raise KdError(
                f"there is no file {self.module}{nearest(self.module, others)}",
                "name a file that ends in .py",
            )
        # A name that is taken would mix up two modules, such as when the file is called random.py.
        name = path.stem if path.stem not in sys.modules else f"teacher_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None  # noqa: S101 - it is a file that ends in .py
        return spec

    @cached_property
    def _function(self) -> Callable[[Any], Any]:
        module = self._imported()
        value: Any = module
        for part in self.name.split("."):
            if not hasattr(value, part):
                names = [name for name in dir(value) if not name.startswith("_")]
                raise KdError(
                    f"{module.__file__} has no function '{self.name}'{nearest(part, names)}",
                    "give it as module:function",
                )
            value = getattr(value, part)
        if not callable(value):
            kind = type(value).__name__
            raise KdError(
                f"'{self.name}' of {self.module} is not a function, but of type {kind}", "name another"
            )
        function: Callable[[Any], Any] = value
        return function

    def _imported(self) -> ModuleType:
        spec = self._spec
        if not self._is_file:
            return importlib.import_module(self.module)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where dataclasses and unpickled objects look for it
        assert spec.loader is not None  # noqa: S101 - a file has one
        spec.loader.exec_module(module)
        return module

    def _failure(self, error: BaseException) -> KdError:
        """Return what a person is told of an exception in the user's code."""
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen importlib")
        ]
        frames = list(dropwhile(lambda frame: frame.filename in MACHINERY, frames))
        file = getattr(vars(self).get("_spec"), "origin", None)  # unless a package fails before it is found
        own = [frame for frame in frames if frame.filename == file] or frames
        where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        lines = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
        shown = "\n".join(lines.rstrip().splitlines()[-LINES:])
        return KdError(
            f"{self.who} raises {shortened(what, LONG)}{where}", f"its own traceback ends:\n{shown}"
        )


def _spec_of_module(module: str) -> ModuleSpec:
    """Find a module, which imports the packages that it is in; raises `KdError` if it is nowhere."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # the package is there, and what it imports is not
        spec = None
    if spec is None:
        package = module.rpartition(".")[0]
        path = getattr(sys.modules.get(package), "__path__", None)
        modules = [known.name for known in pkgutil.iter_modules(path, f"{package}." if path else "")]
        raise KdError(
            f"there is no module {module}{nearest(module, modules)}",
            f"searched in {Path.cwd()} and among installed modules; a file is given as path/file.py:function",
        )
    return spec


def _as_frame(answer: Any) -> pl.DataFrame | None:
    """Return a frame of Polars or pandas as one of Polars; None for other answers."""
    import polars as pl

    if isinstance(answer, pl.DataFrame):
        return answer
    if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
        return pl.DataFrame({str(name): answer[name].to_list() for name in answer.columns})
    return None


def _as_array(answer: Any, who: str) -> np.ndarray:
    """Return a tensor, or whatever NumPy takes for an array of numbers, as an array."""
    import numpy as np
    import torch

    if isinstance(answer, torch.Tensor):
        return answer.detach().cpu().double().numpy()
    try:
        values = np.asarray(answer)
        return values.astype(np.float64) if values.dtype == object else values
    except (TypeError, ValueError):
        kind = type(answer).__name__
        raise KdError(f"{who} returns no numbers, but {kind}", "arrays, tensors, frames would do") from None


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what is written to stdout to stderr, by libraries outside Python and other programs too."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
