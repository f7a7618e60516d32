"""C: one header of C99 for microcontrollers, without allocation, which needs nothing but math.h."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kdcli.errors import KdError
from kdcli.exports.kind import Exported, FormatKind, NotAtHandError, Ran, Rows
from kdcli.exports.literals import c_text, in_comment, numbers
from kdcli.exports.scripts import LONGEST, REPORT, version_of

if TYPE_CHECKING:
    import numpy as np

    from kdcli.data.tables.encoding import Encoded
    from kdcli.models.computation import Convolution, Dense, Trees

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
SMALL = ("-Os", "-fno-asynchronous-unwind-tables")  # as firmware is compiled
PER_LINE = 12  # numbers
TYPES = (("signed char", 2**7), ("short", 2**15), ("long", 2**31))  # and the least numbers they do not hold


def write(student: Exported) -> bytes:
    """Write a student as a header."""
    return ("\n".join([*_head(student), *_predict(student), *_golden(student), "#endif"]) + "\n").encode()


def _head(student: Exported) -> Iterator[str]:
    n, classes = student.x.shape[1], student.classes
    yield f"// {in_comment(student.who)}, taught: {in_comment(student.taught)}, exported by kd."
    yield "//"
    yield "// kd_predict(x, p) returns the class of an example, a number from 0 up, and fills p with the"
    yield "// probabilities of all classes. x has the features of the example, which must be numbers:"
    yield "//"
    if student.columns:
        meanings = (meaning for column in student.columns for meaning in _meanings(column, student.fills))
        yield from (f"// x[{k}]  {meaning}" for k, meaning in enumerate(meanings))
    else:
        values = "0 to 255" if student.is_bytes else "as the student was taught them"
        yield f"// x[0] to x[{n - 1}] are pixels, row after row, {values}"
    yield "#ifndef KD_PREDICT_H"
    yield "#define KD_PREDICT_H"
    if student.computation.softmax:
        yield ""
        yield "#include <math.h>"
    yield ""
    yield f"#define KD_INPUTS {n}"
    yield f"#define KD_CLASSES {len(classes)}"
    yield "#define KD_CLASS_NAMES { \\"
    yield from (f"    {c_text(name)}, \\" for name in classes)
    yield "}"
    yield ""


def _meanings(column: Encoded, fills: bool) -> Iterator[str]:
    """Say how each feature follows from a column of a row."""
    name = f"'{in_comment(column.name)}'"
    filled = f"; {column.middle:.9g} if missing" if fills else ""
    if column.kind == "category":
        yield from (f"1 if {name} is '{in_comment(level)}', else 0" for level in column.levels)
        if column.others:
            yield f"1 if {name} is given and none of these, else 0"
    elif column.kind == "yes/no":
        yield f"1 if {name} is yes, else 0{filled}"
    elif column.kind == "date":
        yield f"{name} in days since 1970-01-01{filled}"
        yield from (f"the {part} of {name}" for part in ("month, 1 to 12,", "weekday, 1 on Mondays,"))
    else:
        yield f"{name}{filled}"
    if column.missing:
        yield f"1 if {name} is missing, else 0"


def _predict(student: Exported) -> Iterator[str]:
    computation = student.computation
    yield "static inline int kd_predict(const float x[KD_INPUTS], float p[KD_CLASSES])"
    yield "{"
    if computation.trees:
        yield from _trees(computation.trees)
    else:
        below = "x"
        if computation.convolution:
            yield from _convolution(computation.convolution)
            below = "filtered"
        centre, layers = student.centred
        if centre.any():
            yield from _array("float", "centre", centre)
        for k, layer in enumerate(layers):
            last = k == len(layers) - 1
            above, value = "p" if last else f"h{k}", f"{below}[j]"
            if not k and centre.any():
                value = f"({value} - centre[j])"
            yield from _dense(k, layer, value, above, relu=not last)
            below = above
    if computation.softmax:
        yield from SOFTMAX
    yield from ARGMAX
    yield "}"
    yield ""


SOFTMAX = """\
    float most = p[0], total = 0.0f;
    for (int k = 1; k < KD_CLASSES; k++)
        if (p[k] > most)
            most = p[k];
    for (int k = 0; k < KD_CLASSES; k++) {
        p[k] = expf(p[k] - most);
        total += p[k];
    }
    for (int k = 0; k < KD_CLASSES; k++)
        p[k] /= total;""".splitlines()
ARGMAX = """\
    int best = 0;
    for (int k = 1; k < KD_CLASSES; k++)
        if (p[k] > p[best])
            best = k;
    return best;""".splitlines()


def _dense(k: int, layer: Dense, value: str, above: str, *, relu: bool) -> Iterator[str]:
    """Yield what computes the array `above` from the `value` of each input j."""
    units, inputs = layer.weight.shape
    yield from _array("float", f"w{k}", layer.weight)
    yield from _array("float", f"b{k}", layer.bias)
    if relu:
        yield f"    float {above}[{units}];"
    yield f"    for (int i = 0; i < {units}; i++) {{"
    yield f"        float sum = b{k}[i];"
    yield f"        for (int j = 0; j < {inputs}; j++)"
    yield f"            sum += w{k}[i * {inputs}L + j] * {value};"
    yield f"        {above}[i] = {'sum > 0.0f ? sum : 0.0f' if relu else 'sum'};"
    yield "    }"


def _convolution(convolution: Convolution) -> Iterator[str]:
    n, rows, columns = convolution.output
    channels, height, width = convolution.size
    side = convolution.filters.shape[2]
    yield from _array("float", "filters", convolution.filters)
    yield from _array("float", "shifts", convolution.bias)
    yield f"    float filtered[{n * rows * columns}];"
    yield f"    for (int f = 0; f < {n}; f++)"
    yield f"        for (int i = 0; i < {rows}; i++)"
    yield f"            for (int j = 0; j < {columns}; j++) {{"
    yield "                float sum = shifts[f];"
    yield f"                const float *w = filters + f * {channels * side * side}L;"
    yield f"                for (int c = 0; c < {channels}; c++)"
    yield f"                    for (int k = 0; k < {side}; k++)"
    yield f"                        for (int l = 0; l < {side}; l++)"
    yield f"                            sum += *w++ * x[(c * {height}L + i + k) * {width} + j + l];"
    yield f"                filtered[(f * {rows}L + i) * {columns} + j] = sum > 0.0f ? sum : 0.0f;"
    yield "            }"


def _trees(trees: Trees) -> Iterator[str]:
    width = trees.value.shape[1]
    yield from _integers("feature", trees.feature)
    yield from _array("float", "threshold", trees.threshold)
    yield from _integers("branch", trees.branches)
    yield from _integers("root", trees.roots)
    yield from _array("float", "value", trees.value)
    yield from _integers("first", trees.first)
    yield from _array("float", "base", trees.base)
    yield "    for (int k = 0; k < KD_CLASSES; k++)"
    yield "        p[k] = base[k];"
    yield f"    for (int t = 0; t < {len(trees.roots)}; t++) {{"
    yield "        long node = root[t]; // below 0: a leaf"
    yield "        while (node >= 0)"
    yield "            node = branch[2 * node + (x[feature[node]] > threshold[node])];"
    yield f"        for (int k = 0; k < {width}; k++)"
    yield f"            p[first[t] + k] += value[(-1 - node) * {width} + k];"
    yield "    }"


def _integers(name: str, values: np.ndarray) -> Iterator[str]:
    """Yield an array of integers of the smallest type that holds them."""
    most = int(abs(values).max(initial=0))
    kind = next(kind for kind, above in TYPES if most < above)
    return _lines(f"    static const {kind} {name}", numbers(values))


def _array(kind: str, name: str, values: np.ndarray) -> Iterator[str]:
    """Yield an array of floats."""
    return _lines(f"    static const {kind} {name}", [_float(text) for text in numbers(values)])


def _lines(start: str, written: list[str]) -> Iterator[str]:
    written = written or ["0"]  # of a tree without inner nodes: C has no empty arrays
    yield f"{start}[{len(written)}] = {{"
    for k in range(0, len(written), PER_LINE):
        yield f"        {', '.join(written[k : k + PER_LINE])},"
    yield "    };"


def _float(text: str) -> str:
    """Write a float32 as C does."""
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _golden(student: Exported) -> Iterator[str]:
    golden = student.golden
    n = len(golden.x)
    yield "#ifdef KD_GOLDEN // made rows: kd_check() returns how many of them come out otherwise"
    yield "static inline int kd_check(void)"
    yield "{"
    yield from _array("float", "x", golden.x)
    yield from _array("float", "expected", golden.p.astype("float32"))
    yield "    int wrong = 0;"
    yield f"    for (int i = 0; i < {n}; i++) {{"
    yield "        float p[KD_CLASSES];"
    yield "        int differs = 0;"
    yield "        kd_predict(x + i * KD_INPUTS, p);"
    yield "        for (int k = 0; k < KD_CLASSES; k++) {"
    yield "            float difference = p[k] - expected[i * KD_CLASSES + k];"
    yield "            differs |= !(difference < 1e-5f && difference > -1e-5f);"
    yield "        }"
    yield "        wrong += differs;"
    yield "    }"
    yield "    return wrong;"
    yield "}"
    yield "#endif"
    yield ""


def run(path: Path, student: Exported, rows: Rows) -> Ran:
    """Compile a header by the system's compiler, or that of CC, and run it.

    Raises `NotAtHandError` where there is no compiler, or none that can compile anything.
    """
    import numpy as np

    names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    compiler = next((found for name in names if name and (found := shutil.which(name))), "")
    if not compiler:
        raise NotAtHandError("there is no C compiler: neither CC nor cc, gcc or clang on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "ask.c")
        source.write_bytes(files("kdcli.exports").joinpath("ask.c").read_bytes())
        Path(folder, "student.h").write_bytes(path.read_bytes())
        program = str(Path(folder, "ask"))
        built = _do([compiler, *STRICT, str(source), "-o", program, "-lm"])
        if built.returncode:
            words = built.stderr.decode(errors="replace").strip().splitlines()[:1] or ["no word"]
            raise NotAtHandError(f"{compiler} does not compile it: {words[0]}")
        size = _size(compiler, source)
        done = _do([program, str(len(rows.x))], np.ascontiguousarray(rows.x, dtype=np.float32).tobytes())
    if done.returncode:
        raise KdError(f"the export fails in {compiler}: its golden vectors differ", REPORT)
    answers = np.frombuffer(done.stdout, dtype=np.float32)
    n, classes = len(rows.x), len(student.classes)
    p, predicted, latencies = np.split(answers, [n * classes, n * (classes + 1)])
    by = re.sub(r" \(.*?\)", "", version_of(compiler))
    return Ran(by, p.reshape(n, classes).astype(float), predicted.astype(int), latencies.tolist(), size)


def _size(compiler: str, source: Path) -> int | None:
    """Return the bytes of code and data that the model alone is compiled to, for size; None if unknown."""
    measure = shutil.which("size")
    alone, built = source.with_name("alone.c"), str(source.with_name("alone.o"))
    alone.write_text('#include "student.h"\nint ask(const float *x, float *p) { return kd_predict(x, p); }\n')
    if not measure or _do([compiler, "-std=c99", *SMALL, "-c", str(alone), "-o", built]).returncode:
        return None
    lines = _do([measure, built]).stdout.decode(errors="replace").splitlines()
    counts = lines[-1].split()[:3] if lines else []  # of code and constants, of data, and of what starts as 0
    return sum(map(int, counts)) if len(counts) == 3 and all(map(str.isdigit, counts)) else None


def _do(command: list[str], content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - a compiler, and what it made of a header that was just written
        command, input=content, capture_output=True, timeout=LONGEST, check=False
    )


def usage(file: str, student: Exported) -> str:
    """Say how the header is used."""
    return (
        f"It is C99, and needs {'only math.h' if student.computation.softmax else 'no library'}:\n\n```c\n"
        f'#include "{file}"\n\nfloat x[KD_INPUTS];  // as the head of the file says\nfloat p[KD_CLASSES];\n'
        "int best = kd_predict(x, p);  // a class, from 0 up\n```\n\n"
        "With `KD_GOLDEN` defined before, `kd_check()` returns how many golden vectors come out otherwise."
    )


FORMAT = FormatKind("one header of C99, for microcontrollers", ".h", write, lambda student: "", usage, run)
