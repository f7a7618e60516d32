"""Compiling and running an exported C header."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from kdcli.errors import KdError
from kdcli.exports.kind import Exported, NotAtHandError, Ran, Rows
from kdcli.exports.process import REPORT, last_words, ran, version_of

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
SMALL = ("-Os", "-fno-asynchronous-unwind-tables")  # as firmware is compiled
WRONG = 2  # exit status of ask.c if golden vectors do not match


def run(path: Path, student: Exported, rows: Rows) -> Ran:
    """Compile a header with the system's compiler, or the one in CC, and run it.

    Raises `NotAtHandError` if there is no working compiler, and `KdError` if it does not compile the header
    or the golden vectors do not match.
    """
    import numpy as np

    compiler = _compiler()
    with tempfile.TemporaryDirectory() as folder:
        empty, source = Path(folder, "empty.c"), Path(folder, "ask.c")
        empty.write_text("int main(void) { return 0; }\n")
        source.write_bytes(files("kdcli.exports").joinpath("ask.c").read_bytes())
        Path(folder, "student.h").write_bytes(path.read_bytes())
        program = str(Path(folder, "ask"))
        if (tried := ran([*compiler, *STRICT, str(empty), "-o", program, "-lm"])).returncode:
            raise NotAtHandError(f"{shlex.join(compiler)} does not compile anything: {last_words(tried)}")
        if (built := ran([*compiler, *STRICT, str(source), "-o", program, "-lm"])).returncode:
            raise KdError(f"{shlex.join(compiler)} does not compile the export: {last_words(built)}", REPORT)
        size = _size(compiler, source)
        done = ran([program, str(len(rows.x))], np.ascontiguousarray(rows.x, dtype=np.float32).tobytes())
    if done.returncode:
        what = "its golden vectors do not match" if done.returncode == WRONG else last_words(done)
        raise KdError(f"the export fails in {shlex.join(compiler)}: {what}", REPORT)
    answers = np.frombuffer(done.stdout, dtype=np.float32)
    n, classes = len(rows.x), len(student.classes)
    if len(answers) < n * (classes + 1):
        raise NotAtHandError(f"programs compiled with {shlex.join(compiler)} do not print their output")
    p, predicted, latencies = np.split(answers, [n * classes, n * (classes + 1)])
    by = re.sub(r" \(.*?\)", "", version_of(compiler))
    return Ran(by, p.reshape(n, classes).astype(float), predicted.astype(int), latencies.tolist(), size)


def _compiler() -> list[str]:
    """Return the command of a C compiler: the one in CC, or the first on the PATH."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [["cc"], ["gcc"], ["clang"]]:
        if found := shutil.which(command[0]):
            return [found, *command[1:]]
    if named:
        raise NotAtHandError(f"CC names {named[0]}, which is not on the PATH")
    raise NotAtHandError("there is no C compiler: neither cc nor gcc nor clang is on the PATH")


def _size(compiler: list[str], source: Path) -> int | None:
    """Return the bytes of code and data of the model alone, compiled for small size; None if unknown."""
    measure = shutil.which("size")
    alone, built = source.with_name("alone.c"), str(source.with_name("alone.o"))
    alone.write_text('#include "student.h"\nint ask(const float *x, float *p) { return kd_predict(x, p); }\n')
    if not measure or ran([*compiler, "-std=c99", *SMALL, "-c", str(alone), "-o", built]).returncode:
        return None
    lines = ran([measure, built]).stdout.decode(errors="replace").splitlines()
    counts = lines[-1].split()[:3] if lines else []  # text, data and bss
    return sum(map(int, counts)) if len(counts) == 3 and all(map(str.isdigit, counts)) else None
