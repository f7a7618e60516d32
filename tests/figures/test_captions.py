from views import students

from kdcli.commands import text
from kdcli.figures.captions import (
    caption_of_failures,
    caption_of_room,
    counted_sets,
    fitting_students,
    note_of_room,
)

CROWD = [students(f"{k}", model) for model in ("mlp:4", "mlp:9") for k in range(6)]


def test_all_students_are_shown_where_they_fit() -> None:
    assert fitting_students(CROWD, 12) == CROWD
    assert caption_of_room(CROWD, 12) == note_of_room(CROWD, 12) == ""


def test_those_of_the_first_model_are_shown_where_not_all_fit() -> None:
    assert fitting_students(CROWD, 11) == CROWD[:6]
    assert caption_of_room(CROWD, 11) == "\nThe figure shows 6 of 12 student sets."
    assert text(note_of_room(CROWD, 11)).startswith(
        "shows 6 of 12 student sets: those of mlp:4; `kd plot --model"
    )


def test_the_first_are_shown_where_one_model_has_too_many() -> None:
    assert fitting_students(CROWD[:6], 4) == CROWD[:4]
    assert note_of_room(CROWD[:6], 4) == "shows 4 of 6 student sets: the first that fit"


def test_failures_are_told_in_lines_that_fit() -> None:
    assert caption_of_failures(CROWD) == ""
    partial = [students(f"soft, T = {k}", partial=True) for k in range(9)]
    lines = caption_of_failures(partial).split("\n")
    assert lines[0] == ""
    assert max(map(len, lines)) <= 100
    assert "soft, T = 8 (mlp:4)." in lines[-1]


def test_student_sets_are_counted() -> None:
    assert (counted_sets(1), counted_sets(2)) == ("1 student set", "2 student sets")
