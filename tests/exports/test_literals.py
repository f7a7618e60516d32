import ast
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exporting import NASTY, answered, leaving, stacks
from hypothesis import given
from hypothesis import strategies as st

from kdcli.data.tables.encoding import Encoded
from kdcli.exports import FORMATS
from kdcli.exports.literals import MOST_IN_C, c_text, in_comment, javascript_text, literal, python_text
from kdcli.exports.proof import Proof, prove

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts | st.sampled_from(NASTY))
def test_python_reads_back_what_was_written(text: str) -> None:
    written = python_text(text)
    assert written.isascii()
    assert written.isprintable()
    assert ast.literal_eval(written) == text


@given(texts | st.sampled_from(NASTY))
def test_javascript_reads_back_what_was_written_and_ends_no_page(text: str) -> None:
    written = javascript_text(text)
    assert written.isascii()
    assert written.isprintable()
    assert "<" not in written
    assert json.loads(written) == text


@given(texts | st.sampled_from(NASTY))
def test_c_reads_back_what_was_written(text: str) -> None:
    written = c_text(text)
    assert written.isascii()
    assert written.isprintable()
    assert "?" not in written  # no trigraph
    # Escapes of three octal digits mean the same in Python's bytes.
    assert ast.literal_eval(f"b{written}") == text[:MOST_IN_C].encode()


@given(texts | st.sampled_from(NASTY))
def test_comments_stay_on_their_line(text: str) -> None:
    told = in_comment(text)
    assert told.isascii()
    assert told.isprintable()
    assert not {"*", "/", "\\", "?", '"', "`"} & set(told)
    assert len(told) < 2_000


def test_numbers_are_written_with_their_digits() -> None:
    values = {"a": np.float32([0.1, 1e-30, 3]), "b": [1, True, 0.1], "c": np.array([[1, -2]])}
    assert literal(values, json.dumps) == '{"a": [0.1, 1e-30, 3.0], "b": [1, 1, 0.1], "c": [[1, -2]]}'


COLUMNS_OF_NAMES = [
    *(Encoded(name, "number", 0.5, missing=True) for name in NASTY),
    Encoded("levels", "category", levels=NASTY, others=True, missing=True),
]


@pytest.mark.parametrize("name", ["python", "onnx", "c", "javascript"])
def test_any_names_of_columns_categories_and_classes_can_leave(name: str) -> None:
    if name in ("c", "javascript") and not shutil.which({"c": "cc", "javascript": "node"}[name]):
        pytest.skip("nothing that runs it is at hand")
    stack = stacks(len(NASTY), COLUMNS_OF_NAMES)["tree"]
    student = leaving(stack, COLUMNS_OF_NAMES, NASTY, who="x\n*/ \"\"\" '''", taught="</script>\\")
    kind = FORMATS[name]
    path = Path(f"student{kind.suffix}")
    path.write_bytes(kind.write(student))
    rows = answered(stack, [[0.25] * len(NASTY) + [level] for level in NASTY], COLUMNS_OF_NAMES)
    assert isinstance(prove(kind, path, student, student.golden, rows, len(NASTY), 1), Proof)


def test_rules_keep_names_on_their_lines() -> None:
    stack = stacks(len(NASTY), COLUMNS_OF_NAMES)["tree"]
    text = FORMATS["rules"].write(leaving(stack, COLUMNS_OF_NAMES, NASTY)).decode()
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_names_of_classes_in_c() -> None:
    student = replace(leaving(stacks(len(NASTY))["tree"]), classes=NASTY)
    Path("student.h").write_bytes(FORMATS["c"].write(student))
    source = (
        '#include <stdio.h>\n#include "student.h"\nint main(void) { static const char *const names[] = '
        "KD_CLASS_NAMES; for (int k = 0; k < KD_CLASSES; k++) puts(names[k]); return 0; }\n"
    )
    Path("names.c").write_text(source)
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
    subprocess.run(["cc", *strict, "names.c", "-o", "names", "-lm"], check=True)
    printed = subprocess.run(["./names"], capture_output=True, check=True).stdout
    expected = [name[:MOST_IN_C].encode().split(b"\0")[0] for name in NASTY]  # a text of C ends at a 0
    assert printed == b"\n".join([*expected, b""])
