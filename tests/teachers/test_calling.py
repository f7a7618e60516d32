import hashlib
from pathlib import Path

import pytest

from kdcli.errors import UsageError
from kdcli.teachers.calling import opened
from kdcli.teachers.command import CommandTeacher
from kdcli.teachers.function import FunctionTeacher
from kdcli.teachers.onnx import OnnxTeacher


@pytest.mark.parametrize(
    ("what", "teacher"),
    [
        ("command:./score --flag", CommandTeacher("./score --flag", 5)),
        ("command:python a.py:b.onnx", CommandTeacher("python a.py:b.onnx", 5)),
        ("package.module:function", FunctionTeacher("package.module", "function")),
        ("my models/score.py:model.predict", FunctionTeacher("my models/score.py", "model.predict")),
        ("models/Net.ONNX", OnnxTeacher(Path("models/Net.ONNX"), "raw")),
        ("answers.csv", None),
        ("answers.csv.gz", None),
        ("answers.NPZ", None),
    ],
)
def test_a_text_tells_which_teacher_it_is(what: str, teacher: object) -> None:
    assert opened(what, timeout=5, scaling="raw") == teacher


@pytest.mark.parametrize(
    "what", ["score", "score.py", "net.pkl", "a-b:c", "a.py:", ":f", "a.gz", "a:b:c", ""]
)
def test_other_texts_are_refused_with_the_ways(what: str) -> None:
    with pytest.raises(UsageError, match=f"^'{what}' names no teacher") as refused:
        opened(what)
    assert "file.py:function" in str(refused.value.hint)
    assert "command:./score" in str(refused.value.hint)


@pytest.mark.parametrize("command", ["", "  ", "score 'a"])
def test_commands_that_cannot_be_split_are_refused(command: str) -> None:
    with pytest.raises(UsageError, match=r"^command:"):
        opened(f"command:{command}")


def test_digests_are_of_what_answers() -> None:
    for name in ("score.py", "net.onnx"):
        Path(name).write_text("x = 1")
    of_file = hashlib.sha256(b"x = 1").hexdigest()
    texts = {"score.py:x": of_file, "score:x": of_file, "net.onnx": of_file}
    texts["command:./score"] = hashlib.sha256(b"./score").hexdigest()
    for text, digest in texts.items():
        teacher = opened(text)
        assert teacher is not None
        assert teacher.digest == digest
