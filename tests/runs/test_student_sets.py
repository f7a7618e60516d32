import pytest

from kdcli.models import parse_model
from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet, default_name, student_sets, title
from kdcli.store import check_name


def test_a_set_for_every_model_target_and_temperature_of_a_softened_target() -> None:
    students = Students(
        models=("mlp:4", "tree"), targets=("labels", "soft"), temperatures=(1.0, 4.0), label_weight=0.25
    )
    assert [chosen.name for chosen in student_sets(students)] == [
        "labels-w0.25-mlp4",
        "soft-T1-w0.25-mlp4",
        "soft-T4-w0.25-mlp4",
        "labels-w0.25-tree",
        "soft-T1-w0.25-tree",
        "soft-T4-w0.25-tree",
    ]


def test_what_is_asked_for_twice_is_made_once() -> None:
    students = Students(
        models=("tree:max_depth=2,min_samples_leaf=3", "tree:min_samples_leaf=3,max_depth=2"),
        targets=("soft", "soft"),
        temperatures=(4.0, 4.0),
    )
    assert [chosen.name for chosen in student_sets(students)] == ["soft-T4-tree-depth2-size3"]


@pytest.mark.parametrize("layers", [1, 45, 46, 60, 1000])
def test_names_of_sets_fit_whatever_the_model(layers: int) -> None:
    def names(width: int) -> list[str]:
        model = "mlp:" + ",".join([*["8"] * (layers - 1), str(width)])
        return [chosen.name for chosen in student_sets(Students(models=(model,), targets=("labels", "soft")))]

    assert len({*names(8), *names(9)}) == 4
    for name in (*names(8), *names(9)):
        check_name(name, "student set")
        assert name.startswith(("labels-mlp8", "soft-T4-mlp8", "labels-mlp9", "soft-T4-mlp9"))
    whole = "labels-mlp" + "-".join(["8"] * layers)
    assert (names(8)[0] == whole) is (len(whole) <= 100)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (StudentSet("soft", 2.5, parse_model("mlp:4"), Students()), "soft, T = 2.5"),
        (StudentSet("hard", 1.0, parse_model("tree"), Students(label_weight=0.5)), "hard, w = 0.5"),
    ],
)
def test_titles_tell_a_folder_named_by_hand(chosen: StudentSet, words: str) -> None:
    assert title(chosen.record) == words
    assert title(chosen.record, default_name(chosen.record)) == words
    assert title(chosen.record, "mine") == f"{words} (mine)"
