from dataclasses import replace
from pathlib import Path

import pytest

from kdcli.errors import UsageError
from kdcli.runs.recipe import Teacher
from kdcli.runs.source import (
    COMMAND,
    FUNCTION,
    ONNX,
    PREDICTIONS,
    absolute,
    check_source,
    runs_code,
    source_kind,
)

KINDS = {
    "command:./score --flag": COMMAND,
    "command:python a.py:b.onnx": COMMAND,
    "command:": COMMAND,
    "package.module:function": FUNCTION,
    "my models/score.py:model.predict": FUNCTION,
    "models/Net.ONNX": ONNX,
    "answers.csv.gz": PREDICTIONS,
    "answers.NPZ": PREDICTIONS,
}


@pytest.mark.parametrize(("source", "kind"), KINDS.items())
def test_a_text_tells_the_kind_of_teacher(source: str, kind: str) -> None:
    assert source_kind(source) == kind
    assert runs_code(source) == (kind in (COMMAND, FUNCTION))
    check_source(source)


@pytest.mark.parametrize("source", ["score", "score.py", "net.pkl", "a-b:c", "a.py:", ":f", "a:b:c"])
def test_other_texts_are_refused(source: str) -> None:
    for read in (source_kind, check_source, absolute):
        with pytest.raises(UsageError, match=f"^'{source}' names no teacher"):
            read(source)


def test_an_empty_text_is_no_teacher_that_exists() -> None:
    check_source("")
    assert absolute("") == ""


def test_files_are_named_by_their_whole_path_and_nothing_else_is() -> None:
    for source in ("command:./score a.py", "package.module:function", "/a/b.py:f", "/a/p.csv"):
        assert absolute(source) == source
    for source in ("b.py:f.g", "code/b.py:f", "p.csv", "net.onnx"):
        assert absolute(source) == f"{Path.cwd()}/{source}"


@pytest.mark.parametrize(("source", "kind"), KINDS.items())
def test_settings_apply_by_the_kind(source: str, kind: str) -> None:
    own = {PREDICTIONS: {"id_column"}, COMMAND: {"timeout"}, ONNX: {"scaling"}, FUNCTION: set[str]()}
    keys = set(replace(Teacher(), source=source).keys)
    assert keys == {"source", "logits", "trust_order", "digest"} | own[kind]
    assert not keys & set(Teacher().keys)
