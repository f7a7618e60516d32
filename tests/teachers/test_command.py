import os
import shlex
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from teachers.asking import CLASSES, images, table

from kdcli.errors import KdError
from kdcli.teachers import command as commands
from kdcli.teachers import process
from kdcli.teachers.asked import Asked
from kdcli.teachers.command import CommandTeacher

ROWS = [[0.5, 0.5], [0.25, 0.75], [0, 1], [1, 0]]
LINES = "0.5,0.5\n0.25,0.75\n0,1\n1,0\n"


def script(code: str, timeout: float = 60) -> CommandTeacher:
    Path("score.py").write_text(f"import csv, os, signal, subprocess, sys, time\n{code}\n")
    return CommandTeacher(f"{shlex.quote(sys.executable)} score.py", timeout)


def writing(text: str) -> CommandTeacher:
    return script(f"sys.stdout.buffer.write({text.encode()!r})")


def failure(teacher: CommandTeacher, asked: Asked | None = None) -> KdError:
    with pytest.raises(KdError) as failed:
        teacher.ask(asked or table())
    assert isinstance(failed.value.hint, str)
    return failed.value


def ends_soon(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_the_command_gets_raw_rows_as_csv_with_a_header() -> None:
    script("open('given.csv', 'w').write(sys.stdin.read()); print('1\\n1\\n1\\n1')").ask(table())
    assert Path("given.csv").read_text() == ('age,my colour\n0,red\n1,\n2,"blue, dark"\n,"a ""b"""\n')


def test_a_row_whose_only_value_is_missing_is_no_empty_line() -> None:
    asked = table()
    assert asked.frame is not None
    alone = Asked(asked.frame.select("age"), asked.x, asked.feature_names, asked.classes)
    script("print('\\n'.join('01'[row['age'] == ''] for row in csv.DictReader(sys.stdin)))")
    values = CommandTeacher(f"{shlex.quote(sys.executable)} score.py").ask(alone)
    assert values.ravel().tolist() == [0, 0, 0, 1]


def test_numbers_arrive_as_they_are() -> None:
    numbers = [0.1, 1 / 3, 1e-300, 1e22, 2.0**-1074, 1.5]
    asked = Asked(pl.DataFrame({"x": numbers}), torch.zeros(6, 1), ("x",), CLASSES)
    values = script("for row in csv.DictReader(sys.stdin): print(repr(float(row['x'])))").ask(asked)
    assert values.ravel().tolist() == numbers


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES + "\n\n",
        "no,yes\n" + LINES,
        "prob_1,prob_2\n" + LINES,
        "0,1\n" + LINES,
        "p_yes,p_no\n0.5,0.5\n0.75,0.25\n1,0\n0,1\n",
        "id,yes,said,no\n7,0.5,yes,0.5\n8,0.75,yes,0.25\n9,1,yes,0\n10,0,no,1\n",
    ],
)
def test_answers(text: str) -> None:
    np.testing.assert_array_equal(writing(text).ask(table()), ROWS)


def test_one_column_is_an_answer() -> None:
    assert writing("p_yes\n0.5\n0.75\n1\n0\n").ask(table()).tolist() == [[0.5], [0.75], [1], [0]]
    np.testing.assert_array_equal(writing("prob_no\n0.5\n0.25\n0\n1\n").ask(table()), ROWS)


def test_a_first_line_of_numbers_is_a_header_only_where_it_is_one_line_more() -> None:
    for header in ("", "0,1\n"):
        values = writing(header + "0,1\n.5,.5\n0,1\n1,0\n").ask(table())
        assert values.tolist() == [[0, 1], [0.5, 0.5], [0, 1], [1, 0]]


def test_columns_of_logits_are_taken_where_they_are_asked_for() -> None:
    teacher = writing("logit_yes,logit_no\n1,2\n3,4\n5,6\n7,-inf\n")
    values = teacher.ask(replace(table(), logits=True))
    assert values.tolist() == [[2, 1], [4, 3], [6, 5], [-np.inf, 7]]
    assert "has logits" in failure(teacher).message


def test_about_no_rows_no_command_is_run() -> None:
    asked = table()
    assert asked.frame is not None
    none = replace(asked, frame=asked.frame.clear(), x=asked.x[:0])
    assert CommandTeacher("./nowhere").ask(none).shape == (0, 2)


def test_a_header_may_name_classes_that_are_numbers() -> None:
    values = writing("2,1\n0.5,0.5\n0.75,0.25\n1,0\n0,1\n").ask(table(classes=("1", "2")))
    np.testing.assert_array_equal(values, ROWS)


@pytest.mark.parametrize("header", ["0,1", "0.0,1.0", "\ufeff0;1", '"0","1"'])
def test_a_first_line_that_has_the_classes_is_a_header_whatever_the_number_of_lines(header: str) -> None:
    lines = [header, ".5,.5", "0,1", "1,0", "1,0"]
    asked = table(classes=("0", "1"))
    text = "\n".join(lines).replace(",", ";" if ";" in header else ",")
    assert writing(text).ask(asked).tolist() == [[0.5, 0.5], [0, 1], [1, 0], [1, 0]]
    problem = failure(writing(text.rpartition("\n")[0]), asked)
    assert "stdout has 3 answers for 4 rows; its first line, 0" in problem.message


@pytest.mark.parametrize("first", ["nan,0", "-inf,0", "1,0"])
def test_a_first_line_with_a_number_is_an_answer(first: str) -> None:
    values = writing(f"{first}\n0,1\n0,1\n0,1\n").ask(replace(table(), logits=True))
    np.testing.assert_array_equal(values, [list(map(float, first.split(","))), *[[0, 1]] * 3])


def test_rows_are_asked_about_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "CHUNK", 3)
    code = "rows = list(csv.DictReader(sys.stdin))\nopen('sizes', 'a').write(f'{len(rows)} ')\n"
    values = script(code + "for row in rows: print(row['age'] or -1)").ask(table(8))
    assert values.ravel().tolist() == [0, 1, 2, 3, 4, 5, 6, -1]
    assert Path("sizes").read_text() == "3 3 2 "


def test_chunks_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "CHUNK", 2)
    teacher = script("print('1,0\\n1,0' if ',red' in sys.stdin.read() else '1\\n1')")
    assert "names different columns for some rows" in failure(teacher).message


def test_much_is_read_and_written_without_a_deadlock() -> None:
    rows = 4000
    asked = Asked(pl.DataFrame({"x": ["y" * 500] * rows}), torch.zeros(rows, 1), ("x",), CLASSES)
    code = (
        "for line in range(4000):\n    print('0.5,0.5,' + 'z' * 500)\n    print('e' * 500, file=sys.stderr)"
    )
    values = script(f"print('no,yes,more')\n{code}").ask(asked)
    assert values.shape == (rows, 2)


def test_input_need_not_be_read() -> None:
    asked = Asked(pl.DataFrame({"x": ["y" * 500] * 4000}), torch.zeros(4000, 1), ("x",), CLASSES)
    assert script("print('1\\n' * 4000)").ask(asked).sum() == 4000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": stdout is empty"),
        ("0,1\n" * 3, ": stdout has 3 answers for 4 rows"),
        ("1,0.5\n" * 6, "stdout has 6 answers for 4 rows"),
        (
            "a,b\n" + "0,1\n" * 3,
            "stdout has 3 answers for 4 rows; its first line, a,b, has the names of the columns",
        ),
        ("0.5,0.5\n" * 5, "stdout has 5 answers for 4 rows"),
        ("0,1\n0,1\n0\n0,1\n", "stdout, line 3: 1 columns, but line 1 has 2"),
        ("0,1\n0,1\n\n0,1\n", "stdout has 3 answers for 4 rows"),
        ("a,b\n0,1\n0,oops\n0,1\n0,1\n", ", row 2: column 'b' has 'oops', which is not a number"),
        ("maybe,1\n" * 4, ", row 1: column 'column 1' has 'maybe', which is not a number"),
        ("no,yes\n0,1\n\n0,1\n0,1\n", "stdout has 3 answers for 4 rows; its first line, no,yes,"),
        ("no,yes\n0,1\n", "stdout has 1 answer for 4 rows"),
        ("0,1,2\n" * 4, "its columns are column 1, column 2 and column 3"),
        ("p_no\n" + "1\n" * 3 + "2\n", ", row 4: 2 is neither a probability nor"),
        ('"0,1\n' * 3, ": stdout, line 1: ',' expected after"),
    ],
)
def test_answers_that_are_refused(text: str, said: str) -> None:
    assert said in failure(writing(text)).message


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "stdout is not UTF-8 text" in failure(script(r"sys.stdout.buffer.write(b'\xff\xfe\x00')")).message


def test_the_tail_of_stderr_is_shown() -> None:
    complaint = "print(*range(50), 'what is missing', sep='\\n', file=sys.stderr)"
    for code, said in {
        f"{complaint}; sys.exit(3)": ": exit code 3",
        complaint: ": stdout is empty",
    }.items():
        problem = failure(script(code))
        assert said in problem.message
        assert str(problem.hint).startswith("its stderr ends:\n41\n42")
        assert str(problem.hint).endswith("\n49\nwhat is missing")
    assert failure(script("sys.exit(1)")).hint == "it wrote nothing to stderr"


def test_death_by_a_signal_is_told() -> None:
    problem = failure(script("os.kill(os.getpid(), signal.SIGSEGV)"))
    assert problem.message.endswith(": ended by signal 11 (Segmentation fault)")


@pytest.mark.parametrize("apart", [False, True])
def test_a_command_that_hangs_is_ended_with_what_it_started(apart: bool) -> None:
    child = f"child = subprocess.Popen(['sleep', '300'], start_new_session={apart})\n"
    teacher = script(f"{child}open('pid', 'w').write(str(child.pid))\ntime.sleep(300)", timeout=3)
    before = time.monotonic()
    assert "no answer within 3 seconds; it was stopped" in failure(teacher).message
    assert time.monotonic() - before < 20
    pid = int(Path("pid").read_text())
    if apart:  # it cannot be killed, but nothing waits for it
        os.kill(pid, 9)
    assert ends_soon(pid)


def test_a_grandchild_that_keeps_the_output_open_is_not_waited_for() -> None:
    code = "child = subprocess.Popen(['sleep', '300'])\nopen('pid', 'w').write(str(child.pid))\n"
    code += "print('1\\n' * 4)"
    before = time.monotonic()
    assert script(code).ask(table()).tolist() == [[1]] * 4
    assert time.monotonic() - before < 20
    assert ends_soon(int(Path("pid").read_text()))


def test_output_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LARGEST", 2**20)
    assert "more than 1 MiB of output" in failure(script("while True: print('0,1' * 1000)")).message


def executable(name: str, content: str, mode: int = stat.S_IRWXU) -> None:
    Path(name).write_text(content)
    Path(name).chmod(mode)


def test_words_are_split_as_by_a_shell_and_no_shell_runs() -> None:
    executable(
        "my score", f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:], file=sys.stderr); sys.exit(1)\n"
    )
    problem = failure(CommandTeacher("'./my score' --flag 'a b' '$HOME' ';' echo '*'"))
    assert str(problem.hint).endswith("['--flag', 'a b', '$HOME', ';', 'echo', '*']")


def test_commands_that_cannot_be_started() -> None:
    executable("score", "echo 1\n")
    executable("other", "#!/nowhere/python\n")
    executable("plain", "#!/bin/sh\n", stat.S_IRUSR)
    for command, said, hint in [
        ("./scores", "the command './scores' is not found", "PATH"),
        ("score", "the command 'score' is not found", "did you mean ./score?"),
        ("./other", "names an interpreter that does not exist", "first line"),
        ("./plain", "is not executable", "chmod +x ./plain"),
        ("./score", "cannot be run: Exec format error", "#!/bin/sh"),
    ]:
        problem = failure(CommandTeacher(command))
        assert said in problem.message
        assert hint in str(problem.hint)


def test_a_command_is_not_asked_about_images() -> None:
    assert "cannot label images" in failure(CommandTeacher("cat"), images()).message
