from dataclasses import replace

import pytest
from figures.views import students

from kdcli.commands import text
from kdcli.figures.captions import (
    caption_of_failures,
    caption_of_room,
    caption_of_shown,
    counted_sets,
    fitting_students,
    fitting_subjects,
    interval_sources,
    note_of_room,
    percent,
    replicates,
    size_of_test,
    spoken,
)
from kdcli.figures.view import View

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


def test_failures_are_told_in_a_line_of_their_own() -> None:
    assert caption_of_failures(CROWD) == ""
    partial = [students(f"soft, T = {k}", partial=True) for k in range(2)]
    told = "\nSeeds whose training failed are left out: soft, T = 0 (mlp:4); soft, T = 1 (mlp:4)."
    assert caption_of_failures(partial) == told


def test_student_sets_are_counted() -> None:
    assert (counted_sets(1), counted_sets(2)) == ("1 student set", "2 student sets")


def test_the_teacher_is_beside_the_students_that_fit(view: View) -> None:
    crowd = replace(view, students=CROWD)
    assert fitting_subjects(crowd, 11) == [view.teacher, *CROWD[:6]]
    assert fitting_subjects(replace(crowd, teacher=None), 11) == CROWD[:6]


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.93314, "93.31 %"), (0, "0.00 %"), (0.00005, "0.01 %"), (0.00004, "under 0.01 %"), (1, "100.00 %")],
)
def test_shares_in_percent(share: float, written: str) -> None:
    assert percent(share) == written


def test_sets_are_named_within_a_sentence() -> None:
    assert spoken("soft, T = 8, w = 0.3") == "soft at T = 8, w = 0.3"
    assert spoken("hard") == "hard"


def test_what_is_shown_and_averaged_with_one_draw_and_with_several(view: View) -> None:
    several = replace(view, draws=10)
    assert (replicates(view), replicates(several)) == ("seeds", "draws and seeds")
    assert caption_of_shown(view) == "Students: seed 0 of each set."
    assert caption_of_shown(several) == "Shown is draw 0 of 10: its teacher and seed 0 of each set."
    untaught = replace(several, teacher=None)
    assert caption_of_shown(untaught) == "Shown is draw 0 of 10: seed 0 of each set."
    assert caption_of_shown(replace(several, students=[])) == "Shown is draw 0 of 10: its teacher."
    assert interval_sources(untaught) == "10 draws of the data, each with its own students"
    assert size_of_test(view) == "60 examples"
    assert size_of_test(several) == "60 examples in each draw"
    assert size_of_test(replace(several, drawing="test kept")) == "60 examples"
    assert "these training data" in interval_sources(view)
    assert interval_sources(several) == "10 draws of the data, each with its own teacher and students"
