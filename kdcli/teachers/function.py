"""The user's own Python function as a teacher: `package.module:function` or `path/file.py:function`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.errors import KdError, nearest
from kdcli.teachers import process
from kdcli.teachers.asked import Asked
from kdcli.teachers.running import ARRAY, FAILURE, FRAME, IMAGES, ROWS, is_file
from kdcli.teachers.tables import table_answers
from kdcli.words import counted

EACH = "it must return a row for each, with a number for each class"
# The import path is that of this process, whatever lies in the current folder.
START = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
START += "from kdcli.teachers.running import main; main()"

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


@dataclass(frozen=True)
class FunctionTeacher:
    """A function of a Polars DataFrame of raw rows, or of a NumPy array of images, that returns numbers.

    `module` is a module's name, searched in the current folder first, or a path that ends in .py, whose
    folder is searched for its imports. `name` may be dotted: `model.predict_proba`. The function runs in a
    process of its own, so that nothing it does to its process or current folder affects this one.
    """

    module: str
    name: str

    @property
    def who(self) -> str:
        """The function within a sentence."""
        return f"the function '{self.name}' of {Path(self.module).name}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file that defines the function's module; raises `KdError` if there is none."""
        return hashlib.sha256(self._file.read_bytes()).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the function's answer; raises `KdError` if anything goes wrong.

        The columns of a frame are found by the names of the classes, or by their order.
        """
        import numpy as np
        import polars as pl

        rows = len(asked.x)
        if not rows:
            return np.empty((0, len(asked.classes)))
        answer = self._answer(asked)
        if isinstance(answer, pl.DataFrame):
            answer = table_answers(answer, asked.classes, self.who, logits=asked.logits, note=asked.note)
        if not answer.shape:
            raise KdError(f"{self.who} returns one number when given {counted(rows, 'row')}", EACH)
        if answer.shape[0] != rows:
            raise KdError(
                f"{self.who} returns the shape {answer.shape} when given {counted(rows, 'row')}", EACH
            )
        return answer

    def _answer(self, asked: Asked) -> np.ndarray | pl.DataFrame:
        """Call the function in a process of its own, whose output goes to stderr."""
        import numpy as np
        import polars as pl

        file = str(self._file)
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as output:
            folder = Path(place)
            if asked.frame is None:
                np.save(folder / IMAGES, asked.x.numpy())
            else:
                asked.frame.write_ipc(folder / ROWS)
            start = [sys.executable, "-P", "-u", "-X", "faulthandler", "-c", START, json.dumps(sys.path)]
            try:
                process.run(
                    [*start, place, self.module, file, self.name, self.who], output, output, told=True
                )
            except KdError as problem:
                raise KdError(f"{self.who}: {problem}", process.tail(output, "output")) from None
            if (failure := folder / FAILURE).exists():
                raise KdError(*json.loads(failure.read_text()))
            if (frame := folder / FRAME).exists():
                return pl.read_ipc(frame)
            if (array := folder / ARRAY).exists():
                return np.load(array, allow_pickle=False)  # type: ignore[no-any-return]
            raise KdError(f"{self.who}: ended without an answer", process.tail(output, "output"))

    @cached_property
    def _file(self) -> Path:
        """The file of the module, found without running code; raises `KdError` if there is none."""
        if not is_file(self.module):
            return _file_of_module(self.module)
        path = Path(self.module).absolute()
        if not os.path.isfile(path):
            others = [other.name for other in path.parent.glob("*.py")]
            raise KdError(
                f"there is no file {path.name} in {path.parent}{nearest(path.name, others)}",
                "name a file that ends in .py",
            )
        return path


def _file_of_module(module: str) -> Path:
    """Find the file of a module, searched in the current folder first; raises `KdError` if there is none."""
    importlib.invalidate_caches()
    first = [str(Path.cwd()), *sys.path]
    path, package, origin = first, "", None
    for part in module.split("."):
        spec = PathFinder.find_spec(part, path) or (None if package else _spec_of_installed(part))
        if spec is None:
            others = [known.name for known in pkgutil.iter_modules(path or first, package if path else "")]
            raise KdError(
                f"there is no module {module}{nearest(module, others)}",
                f"searched in {first[0]} and among installed modules; write a file as path/file.py:function",
            )
        path, package = list(spec.submodule_search_locations or ()), f"{package}{part}."
        origin = spec.origin if spec.has_location else None
    if origin is None:
        raise KdError(f"the module {module} has no file", "put the function in a file of its own")
    return Path(origin)


def _spec_of_installed(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except ValueError:  # for example, for __main__
        return None
