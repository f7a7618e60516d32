from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figures.views import caption, laid_out, legend_labels, predicting, students
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from kdcli.commands import text
from kdcli.figures.decision_boundaries import draw, finding, note, obstacle, tints
from kdcli.figures.looks import CLASS_COLORS
from kdcli.figures.view import Examples, View

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def contours(ax: Axes) -> list[Any]:
    return [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]


def points(ax: Axes) -> list[Any]:
    return [c for c in ax.collections if type(c).__name__ == "PathCollection"]


def test_probability_accuracy_and_both_boundaries_of_two_classes(view: View) -> None:
    figure = draw(view)
    titles = [ax.get_title() for ax in figure.axes[:-1]]
    assert titles[0] == "Bayes optimum\ntest accuracy 97.72 %"
    assert titles[1] == "teacher (mlp:4)\ntest accuracy 95.01 %"
    assert len(titles) == 9
    assert titles[4] == "labels (tree)\ntest accuracy 79.00 %"
    assert caption(figure).startswith("Students: seed 0 of each set.")
    ax = figure.axes[2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x₁", "x₂")
    (image,) = ax.get_images()
    assert (image.norm.vmin, image.norm.vmax) == (0, 1)
    left, right = ax.get_xlim()
    assert left < -3 < 3 < right
    crossings = [float(np.mean(c.get_paths()[0].vertices[:, 0])) for c in contours(ax)]
    assert crossings == pytest.approx([1.0, 0.0], abs=0.02)
    assert sum(len(c.get_offsets()) for c in points(ax)) == 60
    assert legend_labels(figure) == [
        "class 0",
        "class 1",
        "model's decision boundary",
        "Bayes decision boundary",
    ]
    assert figure.axes[-1].get_ylabel() == "predicted probability of class 1"


def test_boundaries_are_seen_on_dark_and_on_pale_ground_and_told_apart(
    view: View, three_classes: View
) -> None:
    for shown in (view, three_classes):
        optimum, teacher = draw(shown).axes[:2]
        looks = []
        for line in contours(teacher):
            casing, own = line.get_path_effects()
            assert type(own).__name__ == "Normal"
            looks.append((to_rgb(line.get_edgecolor()[0]), to_rgb(casing._gc["foreground"])))
            assert casing._gc["linewidth"] > 1.5 * line.get_linewidth()[0]
        assert set(looks) == {(WHITE, BLACK), (BLACK, WHITE)}
        assert {line.get_linestyle()[0][1] is None for line in contours(teacher)} == {True, False}
        assert {to_rgb(line.get_edgecolor()[0]) for line in contours(optimum)} == {BLACK}


def test_the_accuracy_is_that_of_the_seed_that_is_shown(view: View) -> None:
    second = students("labels", shown=1)
    assert draw(replace(view, students=[second])).axes[2].get_title().endswith("90.00 %")


def test_all_is_of_the_first_draw_and_said_to_be(draws: View) -> None:
    figure = draw(draws)
    assert figure.axes[0].get_title() == "Bayes optimum\ntest accuracy 97.72 %"
    assert figure.axes[1].get_title() == "teacher (mlp:4)\ntest accuracy 95.01 %"
    assert caption(figure).startswith("Shown is draw 0 of 2: its teacher and seed 0 of each set.")


def differing(view: View, *counts: int) -> View:
    """A run whose sets differ from the Bayes boundary on so many of the 60 test examples."""
    optimal = (view.test.x[:, 0] > 0).astype(int)
    sets = []
    for k, count in enumerate(counts):
        predicted = np.where(np.arange(60) < count, 1 - optimal, optimal)
        p = np.where(np.eye(2)[predicted] > 0, 0.9, 0.1)
        sets.append(students(f"{k}", logits=predicting(p)))
    return replace(view, teacher=None, students=sets)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((6, 3), "1 (mlp:4) differs least from the Bayes boundary: on 5.00 % of test examples"),
        (
            (3, 3, 6),
            "0 (mlp:4) and 1 (mlp:4) differ least from the Bayes boundary: on 5.00 % of test examples",
        ),
        ((3, 3, 3, 6), "3 models differ least from the Bayes boundary: on 5.00 % of test examples"),
        ((3, 3), "0 (mlp:4) and 1 (mlp:4) differ from the Bayes boundary: on 5.00 % of test examples"),
        ((6, 0), "1 (mlp:4) differs least from the Bayes boundary: on no test example"),
        ((15,), "0 (mlp:4) differs from the Bayes boundary: on 25.00 % of test examples"),
    ],
)
def test_the_title_tells_who_is_nearest_to_the_bayes_boundary(
    view: View, counts: tuple[int, ...], told: str
) -> None:
    assert finding(differing(view, *counts)) == told


def test_the_teachers_boundary_stands_in_for_an_unknown_one(view: View) -> None:
    unknown = replace(differing(view, 6, 3), posterior=None, bayes=None)
    assert finding(unknown) == "0 (mlp:4) predicts the class of 95.01 % of test examples"
    (exact,) = differing(view, 0).students
    taught = replace(unknown, teacher=replace(exact, title="teacher"))
    assert (
        finding(taught) == "1 (mlp:4) differs least from the teacher's boundary: on 5.00 % of test examples"
    )
    alone = "teacher (mlp:4) predicts the class of 95.01 % of test examples"
    assert finding(replace(taught, students=[])) == alone


def test_three_classes_with_names(three_classes: View) -> None:
    figure = laid_out(draw(three_classes))
    assert legend_labels(figure)[:3] == ["class top", "class left", "class right"]
    ax = figure.axes[1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width (cm)", "height (cm)")
    assert [len(c.get_offsets()) for c in points(ax)] == np.bincount(three_classes.test.y).tolist()
    colors = np.asarray(ax.get_images()[0].get_array())
    for place, k in (((-1, colors.shape[1] // 2), 0), ((0, 0), 1), ((0, -1), 2)):
        hue = 1 - np.array(to_rgb(CLASS_COLORS[k]))
        ink = 1 - colors[place]
        np.testing.assert_allclose(ink / ink.max(), hue / hue.max(), atol=1e-6)
    assert figure.axes[-1].get_ylabel() == "probability of the predicted class"
    assert figure.axes[-1].get_ylim() == pytest.approx((1 / 3, 1))


def test_boundaries_of_three_classes_are_each_drawn_once(three_classes: View) -> None:
    ax = draw(replace(three_classes, posterior=None)).axes[0]
    lines = [path.vertices for c in contours(ax) for path in c.get_paths() if len(path.vertices)]
    for x, y in np.concatenate(lines):  # where two of the three probabilities are equal, above the third
        odds = sorted((y, -x - y, x - y))
        assert odds[2] - odds[1] < 0.06
    below = [(x, y) for x, y in np.concatenate(lines) if y < -0.5]
    heights = sorted(y for _, y in below)
    assert max(abs(x) for x, _ in below) < 0.05
    assert len(np.unique(np.round(heights, 6))) == len(heights)  # not once for each of both classes


def test_tints_are_paler_where_the_model_is_unsure() -> None:
    sure, unsure, even = tints(np.array([[0.0, 1.0, 0.0], [0.1, 0.6, 0.3], [1 / 3, 1 / 3, 1 / 3]]))
    np.testing.assert_allclose(sure, to_rgb(CLASS_COLORS[1]))
    assert (sure <= unsure).all()
    assert unsure.sum() < even.sum() < 3


@pytest.mark.parametrize("n_classes", [3, 10, 62])
def test_a_legend_of_many_classes_has_room(three_classes: View, n_classes: int) -> None:
    flat = students("teacher", predict=lambda x: np.full((len(x), n_classes), 1 / n_classes))
    names = [f"{k}" for k in range(n_classes)]
    many = replace(three_classes, class_names=names, teacher=flat, students=[], posterior=None)
    figure = laid_out(draw(many))
    box = figure.legends[0].get_window_extent()
    assert box.y1 <= figure.axes[0].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1
    assert len(legend_labels(figure)) == n_classes + 1


def test_an_unknown_posterior_leaves_out_the_bayes_boundary(view: View) -> None:
    figure = draw(replace(view, posterior=None, bayes=None))
    assert figure.axes[0].get_title().startswith("teacher")
    assert len(contours(figure.axes[0])) == 1
    assert "Bayes decision boundary" not in legend_labels(figure)


def test_it_needs_two_features(view: View) -> None:
    flat = Examples(np.zeros((5, 3)), np.zeros(5, dtype=int))
    assert "two features" in obstacle(replace(view, splits={"test": flat}))


def test_more_sets_than_there_is_room_for(view: View) -> None:
    crowd = [students(f"{k}", model) for model in ("mlp:4", "mlp:9") for k in range(6)]
    assert len(draw(replace(view, students=crowd)).axes) == 9  # with the optimum and a colour bar
    assert "shows 6 of 12 student sets" in text(note(replace(view, students=crowd)))
