from dataclasses import replace

import numpy as np
import pytest
from figures.views import caption, plane_view, predicting, students

from kdcli.figures.confusion_matrices import count_pairs, draw, finding, obstacle
from kdcli.figures.view import Examples, View


def test_counts_of_test_examples(view: View) -> None:
    ax = draw(view).axes[1]
    counts = {text.get_position(): int(text.get_text()) for text in ax.texts}
    predicted, y = np.tile([1, 0], 30), view.test.y
    expected = {(p, t): int(((y == t) & (predicted == p)).sum()) for t in range(2) for p in range(2)}
    assert counts == {place: count for place, count in expected.items() if count}
    assert ax.get_title() == f"labels (mlp:4)\n{int((y != predicted).sum())} errors"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array().sum(1), 1)


def test_rows_are_true_classes() -> None:
    counts = count_pairs(np.array([0, 0, 2]), np.array([1, 1, 0]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_it_is_of_the_first_draw_and_said_to_be(view: View) -> None:
    assert "Shown is draw 0 of 2: its teacher and seed 0 of each set." in caption(
        draw(replace(view, draws=2))
    )


def confusing(n_classes: int, *pairs: tuple[int, int]) -> View:
    """A run of a single set with an error of each pair of true and predicted class, and a right answer."""
    y, predicted = np.array([*pairs, (0, 0)]).T
    p = np.where(np.eye(n_classes)[predicted] > 0, 0.9, 0.1)
    view, names = plane_view(), ("cat", "dog", "fox", "owl")[:n_classes]
    test = Examples(np.zeros((len(y), 2)), y)
    sets = [students("labels", logits=predicting(p))]
    return replace(view, class_names=names, splits={"test": test}, teacher=None, students=sets)


@pytest.mark.parametrize(
    ("n_classes", "pairs", "told"),
    [
        (3, [(0, 1), (1, 0), (2, 0)], "Classes confused most often: cat and dog (2 of all 3 errors)"),
        (
            3,
            [(1, 2), (2, 0)],
            "Classes confused most often: cat and fox as well as dog and fox (1 of all 2 errors each)",
        ),
        (
            3,
            [(0, 1), (1, 2), (2, 0)],
            "No two classes are confused most often: 3 pairs have 1 of all 3 errors each",
        ),
        (3, [(2, 2)], "Confusion matrices: no test example is misclassified"),
        (
            2,
            [(0, 1), (0, 1), (1, 0)],
            "labels (mlp:4) takes class cat for dog (2 times) more often than class dog for cat (1 time)",
        ),
        (
            2,
            [(0, 1), (1, 0)],
            "labels (mlp:4) takes class dog for cat (1 time) as often as class cat for dog (1 time)",
        ),
        (2, [(1, 1)], "Confusion matrices: no test example is misclassified"),
    ],
)
def test_the_title_tells_which_classes_are_confused(
    n_classes: int, pairs: list[tuple[int, int]], told: str
) -> None:
    assert finding(confusing(n_classes, *pairs)) == told


def test_the_title_adds_up_the_errors_of_all_models() -> None:
    of_two = confusing(3, (0, 1), (1, 0), (2, 0))
    both = replace(of_two, students=[*of_two.students, *of_two.students])
    assert finding(both) == "Classes confused most often: cat and dog (4 of all 6 errors)"
    binary = confusing(2, (0, 1))
    taught = replace(binary, teacher=binary.students[0])
    told = "The models take class cat for dog (2 times) more often than class dog for cat (no times)"
    assert finding(taught) == told


def test_no_room_for_many_classes(view: View) -> None:
    assert "no room for more" in obstacle(replace(view, class_names=[str(k) for k in range(21)]))
