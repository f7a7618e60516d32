"""C: one C99 header for microcontrollers, without allocation, which needs nothing but math.h."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdcli.exports.c_run import run
from kdcli.exports.features import features_of
from kdcli.exports.kind import TOLERANCE, Exported, FormatKind
from kdcli.exports.literals import c_text, in_comment, numbers

if TYPE_CHECKING:
    import numpy as np

    from kdcli.data.tables.encoding import Encoded
    from kdcli.models.computation import Computation, Convolution, Dense, Trees

PER_LINE = 12  # numbers
TYPES = (
    ("signed char", 2**7),
    ("short", 2**15),
    ("long", 2**31),
)  # and the smallest number above their range


def write(student: Exported) -> bytes:
    """Write a student as a header."""
    body = "\n".join([*_definitions(student), *_predict(student), *_golden(student)])
    guard = f"KD_PREDICT_{hashlib.sha256(body.encode()).hexdigest()[:12].upper()}"  # of this student alone
    lines = [*_head(student), f"#ifndef {guard}", f"#define {guard}", body, "#endif"]
    return ("\n".join(lines) + "\n").encode()


def _head(student: Exported) -> Iterator[str]:
    n = student.x.shape[1]
    yield f"// {in_comment(student.who)}, taught: {in_comment(student.taught)}, exported by kd."
    yield "//"
    yield "// kd_predict(x, p) returns the class of an example, a number from 0 up, and fills p with the"
    yield "// probabilities of all classes. x has the features of the example, which must be numbers:"
    yield "//"
    if student.columns:
        meanings = (meaning for column in student.columns for meaning in _meanings(column, student.fills))
        yield from (f"// x[{k}]  {meaning}" for k, meaning in enumerate(meanings))
    else:
        values = "from 0 to 255" if student.is_bytes else "scaled as in the training data"
        planes = "channel by channel, and " if len(student.shape) > 2 else ""
        yield f"// x[0] to x[{n - 1}] are pixels, {planes}row by row, {values}"
    yield "//"
    yield "// Include each student of a program in a source file of its own: their names are the same."
    yield f"// Apart from constants, it uses {_stack(student.computation)} bytes of the stack."


def _stack(computation: Computation) -> int:
    """Return the bytes that activations take."""
    filtered = math.prod(computation.convolution.output) if computation.convolution else 0
    return 4 * (filtered + sum(len(layer.bias) for layer in computation.layers[:-1]))


def _definitions(student: Exported) -> Iterator[str]:
    n, classes = student.x.shape[1], student.classes
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
    """Yield how each feature follows from a column of a row."""
    for k, feature in enumerate(features_of(column, in_comment)):
        filled = f"; {column.middle:.9g} if missing" if fills and not k and column.kind != "category" else ""
        unit = "" if feature.date is None else " in days since 1970-01-01"
        meaning = f"1 if {feature.holds}, else 0" if feature.holds else f"{feature.name}{unit}"
        yield f"{meaning}{filled}"


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
        if centre is not None:
            yield from _array("float", "centre", centre)
        for k, layer in enumerate(layers):
            last = k == len(layers) - 1
            above, value = "p" if last else f"h{k}", f"{below}[j]"
            if not k and centre is not None:
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
    """Yield the code that computes the array `above` from the `value` of each input j."""
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
    """Yield an array of integers, in the smallest type that holds them."""
    most = int(abs(values).max(initial=0))
    kind = next(kind for kind, above in TYPES if most < above)
    return _lines(f"    static const {kind} {name}", numbers(values))


def _array(kind: str, name: str, values: np.ndarray) -> Iterator[str]:
    """Yield an array of floats."""
    return _lines(f"    static const {kind} {name}", [_float(text) for text in numbers(values)])


def _lines(start: str, written: list[str]) -> Iterator[str]:
    written = written or ["0"]  # a tree may have no inner nodes, but C has no empty arrays
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
    yield "#ifdef KD_GOLDEN // synthetic rows: kd_check() returns how many of them do not match"
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
    yield f"            differs |= !(difference < {TOLERANCE}f && difference > -{TOLERANCE}f);"
    yield "        }"
    yield "        wrong += differs;"
    yield "    }"
    yield "    return wrong;"
    yield "}"
    yield "#endif"
    yield ""


def usage(file: str, student: Exported) -> str:
    """Return Markdown on how to use the header."""
    return (
        f"It is C99, and needs {'only math.h' if student.computation.softmax else 'no library'}:\n\n```c\n"
        f'#include "{file}"\n\nfloat x[KD_INPUTS];  // see the top of the file\nfloat p[KD_CLASSES];\n'
        "int best = kd_predict(x, p);  // a class, from 0 up\n```\n\n"
        "With `KD_GOLDEN` defined first, `kd_check()` returns how many golden vectors do not match."
    )


FORMAT = FormatKind("one C99 header, for microcontrollers", ".h", write, lambda student: "", usage, run)
