import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import COLUMNS, image_stacks, leaving, leaving_images, stacks

from kdcli.errors import KdError
from kdcli.exports import FORMATS, Exported
from kdcli.exports.c_run import STRICT, run
from kdcli.exports.kind import NotAtHandError
from kdcli.models.stacked_trees import StackedTrees

CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(not CC, reason="needs a C compiler")


def header(student: Exported) -> str:
    text = FORMATS["c"].write(student).decode()
    Path("student.h").write_text(text)
    return text


def compiled(
    *flags: str, body: str = "float x[KD_INPUTS] = {0}, p[KD_CLASSES]; return kd_predict(x, p);"
) -> int:
    Path("main.c").write_text(f'#include "student.h"\n#include "student.h"\nint main(void) {{ {body} }}\n')
    assert CC
    return subprocess.run(
        [CC, *STRICT, *flags, "main.c", "-o", "main", "-lm"], capture_output=True
    ).returncode


@pytest.mark.parametrize("family", ["mlp", "linear", "tree", "forest", "gbdt"])
def test_it_compiles_without_a_warning_and_its_golden_vectors_come_out(family: str) -> None:
    text = header(leaving(stacks()[family]))
    assert text.isascii()
    assert ("#include <math.h>" in text) == (family not in ("tree", "forest"))
    assert text.count("#include") == (family not in ("tree", "forest"))
    assert not any(word in text for word in ("malloc", "double", "static float"))
    assert compiled("-DKD_GOLDEN", body="return kd_check();") == 0
    assert subprocess.run(["./main"]).returncode == 0


def test_golden_vectors_find_what_is_wrong() -> None:
    text = header(leaving(stacks()["linear"]))
    start = text.index("b0[2] = {") + len("b0[2] = {")
    first = text[start:].split(",")[0].strip()
    Path("student.h").write_text(text[:start] + text[start:].replace(first, f"{first} + 0.01f", 1))
    assert compiled("-DKD_GOLDEN", body="return kd_check();") == 0
    assert subprocess.run(["./main"]).returncode > 0


def test_trees_need_no_library_at_all() -> None:
    header(leaving(stacks()["forest"]))
    Path("alone.c").write_text(
        '#include "student.h"\nint ask(float *x, float *p) { return kd_predict(x, p); }\n'
    )
    assert CC
    subprocess.run([CC, *STRICT, "-ffreestanding", "-c", "alone.c"], check=True)
    left = subprocess.run(["nm", "-u", "alone.o"], capture_output=True, text=True, check=True).stdout
    assert set(left.split()) <= {"U", "_GLOBAL_OFFSET_TABLE_", "memset", "memcpy"}


def test_a_tree_of_one_leaf() -> None:
    arrays = {
        "feature": np.zeros((1, 1), dtype=np.int64),
        "threshold": np.zeros((1, 1)),
        "branches": np.zeros((1, 1, 2), dtype=np.int64),
        "log_p": np.log([[[0.25, 0.75]]]),
    }
    stack = StackedTrees({name: torch.from_numpy(values) for name, values in arrays.items()})
    header(leaving(stack))
    assert compiled() == 0
    assert subprocess.run(["./main"]).returncode == 1


def test_the_head_says_what_each_feature_is() -> None:
    text = header(leaving(stacks()["mlp"]))
    meanings = [line.split("  ", 1)[1] for line in text.splitlines() if line.startswith("// x[")]
    assert len(meanings) == sum(len(column.features) for column in COLUMNS)
    assert meanings[:7] == [
        "age; 40 if missing",
        "1 if age is missing, else 0",
        "1 if plan is 'basic', else 0",
        "1 if plan is 'plus', else 0",
        "1 if plan is another value, else 0",
        "1 if active is yes, else 0; 1 if missing",
        "1 if town is 'Bonn', else 0",
    ]
    assert meanings[7] == "1 if town is 'K[U+00F6]ln', else 0"
    assert "since in days since 1970-01-01; 19000 if missing" in meanings
    images, _ = leaving_images(image_stacks()["cnn"], is_bytes=True)
    assert "// x[0] to x[47] are pixels, row by row, from 0 to 255" in header(images)


def test_without_a_compiler_it_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    student = leaving(stacks()["linear"])
    header(student)
    with pytest.raises(NotAtHandError, match="there is no C compiler"):
        run(Path("student.h"), student, student.golden)


def test_a_compiler_that_compiles_nothing_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false")
    student = leaving(stacks()["linear"])
    header(student)
    with pytest.raises(NotAtHandError, match="false does not compile anything: its exit status is 1"):
        run(Path("student.h"), student, student.golden)


def test_a_compiler_that_is_named_and_not_there_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m32")
    student = leaving(stacks()["linear"])
    header(student)
    with pytest.raises(NotAtHandError, match="CC names no-such-compiler, which is not on the PATH"):
        run(Path("student.h"), student, student.golden)


def test_options_of_cc_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "cc -DKD_INPUTS=0")
    student = leaving(stacks()["linear"])
    header(student)
    with pytest.raises(KdError, match="does not compile the export"):
        run(Path("student.h"), student, student.golden)


def test_a_header_that_does_not_compile_is_an_error() -> None:
    student = leaving(stacks()["linear"])
    Path("student.h").write_text(header(student).replace("int best = 0;", "int best = ;"))
    with pytest.raises(KdError, match=r"does not compile the export: .*error"):
        run(Path("student.h"), student, student.golden)


def test_golden_vectors_that_do_not_match_are_an_error() -> None:
    student = leaving(stacks()["linear"])
    Path("student.h").write_text(header(student).replace("p[k] /= total", "p[k] /= 1.01f * total"))
    with pytest.raises(KdError, match="its golden vectors do not match"):
        run(Path("student.h"), student, student.golden)


def test_two_students_in_one_program_are_refused_by_the_compiler() -> None:
    header(leaving(stacks()["linear"]))
    Path("other.h").write_bytes(FORMATS["c"].write(leaving(stacks()["mlp"])))
    Path("both.c").write_text('#include "student.h"\n#include "other.h"\n')
    assert CC
    assert subprocess.run([CC, *STRICT, "-c", "both.c"], capture_output=True).returncode != 0


def test_the_head_tells_what_the_stack_holds() -> None:
    assert "it uses 48 bytes of the stack" in header(leaving(stacks()["mlp"]))  # (7 + 5) floats


@pytest.mark.skipif(not shutil.which("size"), reason="needs size of binutils")
def test_the_size_of_code_and_data_is_measured() -> None:
    student = leaving(stacks()["mlp"])
    header(student)
    built = run(Path("student.h"), student, student.golden).built
    weights = sum(layer.weight.size + layer.bias.size for layer in student.computation.layers)
    assert built is not None
    assert 4 * weights < built < 4 * weights + 2_000
