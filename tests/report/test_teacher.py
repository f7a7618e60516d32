from pathlib import Path

import polars as pl
import pytest
from customers import customers
from harness import Kd, opened

from kdcli.report.teacher import UNKNOWN, teacher_text


@pytest.mark.parametrize(("sure", "certain"), [(0.9, False), (1.0, True)])
def test_a_teacher_that_exists_may_have_seen_the_test_rows(
    kd: Kd, outputs: Path, sure: float, certain: bool
) -> None:
    left = pl.read_csv(customers())["left"] == "yes"
    p = left.cast(pl.Float64) * (2 * sure - 1) + (1 - sure)
    pl.DataFrame({"p_no": 1 - p, "p_yes": p}).write_csv("answers.csv")
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    assert kd("train-teacher", "--from", "answers.csv").code == 0
    notes = list(teacher_text(opened(outputs / "customers")))
    assert UNKNOWN in notes
    assert any(note.startswith("Every prediction is certain") for note in notes) == certain


def test_a_teacher_trained_here_needs_no_note(tiny: Path) -> None:
    assert list(teacher_text(opened(tiny))) == []


def test_one_that_is_worse_than_naming_a_class_is_told(kd: Kd, outputs: Path) -> None:
    customers(leave=0.1)
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "1").code == 0
    pl.DataFrame({"p_yes": [0.8 + k / 2000 for k in range(200)]}).write_csv("answers.csv")
    assert kd("train-teacher", "--from", "answers.csv", "--trust-order").code == 0
    *_, note = teacher_text(opened(outputs / "customers"))
    assert note.startswith("The teacher is right in 10.")
    assert note.endswith("students will learn little from it.")
