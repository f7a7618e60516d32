import errno
import io
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from harness import Kd

from kdcli.cli.main import main
from kdcli.report import terminal

SIGNS = "−1 ± ∞, ε • a → b … ┏━┓ │"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", SIGNS),
        ("cp437", "-1 ± ∞, ε * a -> b ... ┌─┐ │"),
        ("cp1252", "-1 ± inf, eps • a -> b … +-+ |"),
        ("latin-1", "-1 ± inf, eps * a -> b ... +-+ |"),
        ("ascii", "-1 +/- inf, eps * a -> b ... +-+ |"),
    ],
)
def test_signs_become_plain_only_where_the_encoding_lacks_them(encoding: str, expected: str) -> None:
    assert terminal.spelled(SIGNS, encoding) == expected


def test_letters_that_the_encoding_lacks_are_escaped() -> None:
    assert terminal.spelled("größe", "latin-1") == "größe"
    assert terminal.spelled("größe 実 \udcff", "ascii") == r"gr\xf6\xdfe \u5b9f \udcff"
    assert terminal.spelled("\udcff", "utf-8") == r"\udcff"


def test_every_plain_character_is_ascii_in_the_end() -> None:
    assert terminal.spelled("".join(terminal.PLAIN), "ascii").isascii()
    assert "\\" not in terminal.spelled("".join(terminal.PLAIN), "ascii")


class _Standard:
    """Both standard streams in an encoding, as a terminal or a pipe of that encoding has them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        self.encoding = encoding
        self.streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        for name, stream in zip(("stdout", "stderr"), self.streams, strict=True):
            monkeypatch.setattr(sys, name, stream)

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run kd; returns the exit code and all output, decoded strictly."""
        for stream in self.streams:
            stream.seek(0)
            stream.truncate()
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        texts = [stream.buffer.getvalue().decode(self.encoding) for stream in self.streams]
        assert isinstance(stopped.value.code, int)
        return stopped.value.code, "".join(texts)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "latin-1", "ascii"])
def test_every_command_prints_in_every_encoding(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    standard = _Standard(monkeypatch, encoding)
    commands = ("--help", "distill --help", "show", "runs", "check", "distill", "compare", "compare --csv")
    for command in commands:
        code, text = standard.call(*command.split())
        assert (code, bool(text)) == (0, True), command
        assert "\\" not in text, command
    assert standard.call() == (2, standard.call("--help")[1])
    code, text = standard.call("gen-data", "möönz実")
    assert code == 2
    assert terminal.spelled("'möönz実'", encoding) in text
    code, text = standard.call("show", "--run", "実", "--json")
    assert code == 2
    assert "実" in json.loads(text)["error"]
    code, text = standard.call("compare", "--json")
    assert (code, json.loads(text)["run"]) == (0, "tiny")


def test_a_table_is_as_straight_in_ascii(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = _Standard(monkeypatch, "ascii").call("compare")
    table = [line for line in text.splitlines() if line.startswith(("|", "+-"))]
    assert any("+/-" in line for line in table)
    blocks = "\n".join(table).split("-+\n+-")  # one table ends and the next one starts
    for block in blocks:
        assert len({len(line) for line in block.splitlines()[1:-1]}) == 1


class _Broken(io.RawIOBase):
    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def write(self, _data: object) -> int:
        raise OSError(self.number, os.strerror(self.number))


def _broken(number: int, *, unbuffered: bool = False) -> io.TextIOWrapper:
    """Return a stream that fails; `unbuffered` as with PYTHONUNBUFFERED."""
    broken = _Broken(number)
    if unbuffered:
        return io.TextIOWrapper(cast(BinaryIO, broken), encoding="utf-8", write_through=True)
    return io.TextIOWrapper(io.BufferedWriter(broken), encoding="utf-8")


@pytest.mark.parametrize(
    "arguments", [["runs"], ["runs", "--json"], ["--help"], ["nonsense", "--json"], ["recipe", "mnist"]]
)
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    ("number", "code", "told"),
    [
        (errno.ENOSPC, 1, "error: cannot write to the standard output: No space left on device"),
        (errno.EPIPE, 141, ""),
    ],
)
def test_an_output_that_takes_no_more(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    unbuffered: bool,
    number: int,
    code: int,
    told: str,
) -> None:
    full = _broken(number, unbuffered=unbuffered)
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code
    assert capsys.readouterr().err.partition("\n")[0] == told
    with nullcontext() if unbuffered else pytest.raises(OSError, match=r"space|pipe"):
        full.close()


def test_a_broken_error_stream_does_not_change_the_outcome(monkeypatch: pytest.MonkeyPatch, kd: Kd) -> None:
    broken = _broken(errno.ENOSPC)
    monkeypatch.setattr(sys, "stderr", broken)
    assert kd("nonsense").code == 2
    assert kd("runs").code == 0
    with pytest.raises(OSError, match="space"):
        broken.close()


def test_streams_of_a_real_process(tmp_path: Path) -> None:
    """What only a process shows: Python reports what it cannot flush once more when it exits."""
    (tmp_path / "outputs").mkdir()

    def kd(words: str) -> tuple[int, str]:
        command = ["bash", "-o", "pipefail", "-c", f"'{sys.executable}' -m kdcli {words}"]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr

    code, told = kd("runs --json >/dev/full")
    assert (code, told.count("\n")) == (1, 2)
    assert kd("runs --json | true") == (141, "")
    assert kd("runs <&- >&-") == (0, "")
    assert kd("nonsense 2>/dev/full") == (2, "")


def test_nobody_to_ask(kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as of `kd delete tiny <&-`
    outcome = kd("delete", "tiny")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert kd("delete", "tiny", "--yes").code == 0


@pytest.mark.parametrize("columns", ["0", "-1", "x", "", "9" * 5000])
def test_columns_that_make_no_sense_are_those_of_the_terminal(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    expected = [kd("show").out, kd("nonsense").err, kd("--help").out]
    monkeypatch.setenv("COLUMNS", columns)
    assert [kd("show").out, kd("nonsense").err, kd("--help").out] == expected


@pytest.mark.parametrize(("columns", "folded"), [("20", False), ("40", False), ("60", True), ("80", True)])
def test_no_number_and_no_name_is_cut(
    kd: Kd, tiny: Path, monkeypatch: pytest.MonkeyPatch, columns: str, folded: bool
) -> None:
    def words(text: str) -> set[str]:
        return set(re.findall(r"[\d.,:%-]*\d" if folded else r"[\w.,/:=%-]*\w", text))

    commands = [["show"], ["runs"], ["distill"], ["distill", "--help"], ["--help"]]
    monkeypatch.setenv("COLUMNS", "300")
    widest = [words(kd(*command).out) for command in commands]
    monkeypatch.setenv("COLUMNS", columns)
    for command, expected in zip(commands, widest, strict=True):
        out = kd(*command).out
        heads = {"artefact", "file", "run"}  # of names, which a list does not need
        assert expected - words(out) <= heads, command
        assert "…" not in out.replace("0, 1, …", ""), command
