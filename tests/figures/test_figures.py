import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kdcli.errors import UsageError
from kdcli.figures import FIGURES, find_figure
from kdcli.figures.canvas import CHARACTERS, class_ticks, line_look
from kdcli.figures.dark_knowledge import mean_probabilities
from kdcli.figures.view import Curves, Difference, Reliability, Subject, Trees, View

Array = np.ndarray
EPOCHS = np.array([0, 5, 10])
TRAIN = np.array([[1.0, 0.5, 0.2], [1.0, 0.4, 0.1], [1.0, 0.6, 0.4]])


def right_half(x: Array) -> Array:
    """Class 1 to the right of x₁ = 1."""
    p = 1 / (1 + np.exp(-8 * (x[:, 0] - 1)))
    return np.stack([1 - p, p], axis=1)


def exact(x: Array) -> Array:
    p = 1 / (1 + np.exp(-4 * x[:, 0]))
    return np.stack([1 - p, p], axis=1)


RELIABILITY = Reliability(np.array([0.6, 0.97]), np.array([0.5, 1.0]), np.array([20, 100]), 2)

OPEN = "no difference shown"
DIFFERENCES = [
    Difference("mlp:4", "hard", "accuracy", "accuracy (points)", 1.5, 0.5, 2.5, "better"),
    Difference("mlp:4", "hard", "nll", "NLL (nats)", 0.2, 0.1, 0.3, "worse"),
    Difference("mlp:4", "soft, T = 4", "accuracy", "accuracy (points)", -0.5, -1.5, 0.5, OPEN),
    Difference("mlp:4", "soft, T = 4", "nll", "NLL (nats)", -math.inf, None, None, "better"),
    Difference("tree", "hard", "accuracy", "accuracy (points)", 0.1, None, None, None),
    Difference("tree", "hard", "nll", "NLL (nats)", None, None, None, OPEN),
]


def scores(low: float, high: float, **means: float) -> Callable[[str], tuple[float, float, float]]:
    """A metric's mean with its interval: in the middle of it unless it is given."""
    return lambda metric: (means.get(metric, (low + high) / 2), low, high)


def students(title: str, model: str = "mlp:4", **changed: Any) -> Subject:
    """The students of one set; three seeds, the first of which takes half of the test points right."""
    subject = Subject(
        title=title,
        model=model,
        loss="loss",
        accuracy=np.array([0.9712, 0.9, 0.95]),
        accuracy_of_one=0.9501,
        predict=right_half,
        tested=lambda: np.tile([[0.3, 0.7], [0.6, 0.4]], (30, 1)),
        score=scores(0.9, 0.99),
        reliability=lambda: RELIABILITY,
        target=title.split(",")[0],
        temperature=float(title.split("T = ")[1].split(",")[0]) if "T = " in title else 1.0,
        curves=Curves(EPOCHS, TRAIN, TRAIN * 1.5),
    )
    return replace(subject, **changed)


def trees(title: str, model: str, leaves: int, accuracy: float, limited_by: str = "leaves") -> Subject:
    spread = np.array([accuracy - 0.01, accuracy, accuracy + 0.01])
    size = Trees(np.full(3, leaves), limited_by)
    return students(title, model, accuracy=spread, trees=size, curves=None)


def knowledge() -> tuple[Array, Array]:
    """Logits of four training examples of three classes."""
    logits = [[2.0, 0.0, -1.0], [4.0, 0.0, -1.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]]
    return np.array(logits), np.array([0, 0, 1, 2])


@pytest.fixture
def images(view: View) -> View:
    """The same, of images."""
    odd = np.tile([[0.3, 0.7], [0.6, 0.4]], (30, 1))
    odd[7] = odd[7][::-1]
    sets = [replace(view.students[0], tested=lambda: odd), *view.students[1:]]
    return replace(view, x_test=np.arange(60 * 9).reshape(60, 3, 3), students=sets)


@pytest.fixture
def view() -> View:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2)).astype(np.float32) * 2
    sets = [students("labels"), students("soft, T = 4")]
    sets += [
        trees("labels", "tree", 60, 0.8, "nothing"),
        trees("labels", "tree:max_leaf_nodes=4", 4, 0.9),
        trees("soft, T = 1", "tree:max_leaf_nodes=4", 4, 0.85),
        trees("soft, T = 1", "tree:max_depth=4", 16, 0.7, "else"),
        students("soft, T = 1", accuracy=np.array([0.8, 0.82]), score=scores(0.7, 0.9, accuracy=0.81)),
    ]
    return View(
        "demo",
        2,
        x,
        (x[:, 0] > 0).astype(int),
        exact,
        0.9772,
        students("teacher"),
        sets,
        knowledge=knowledge,
        differences=lambda: DIFFERENCES,
    )


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_title_and_labelled_axes_in_the_picture(
    view: View, images: View, name: str
) -> None:
    suited = {"disagreements": images, "dark-knowledge": replace(view, n_classes=3)}
    seen = suited.get(name, view)
    assert find_figure(name).obstacle(seen) == ""
    figure = find_figure(name).draw(seen)
    assert "demo" in figure.get_suptitle()
    bars = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    assert figure.legends or bars
    figure.canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert ax.get_ylabel()
        assert ax.get_xlabel() or ax in bars  # a colour bar has one axis only
        box = ax.get_tightbbox()
        assert box is not None
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("name", ["confusion-matrices", "dark-knowledge", "disagreements"])
def test_classes_are_called_by_their_names(view: View, images: View, name: str) -> None:
    seen = replace(view, n_classes=3) if name == "dark-knowledge" else images
    letters = [str(41 + k) for k in range(seen.n_classes)]
    ax = find_figure(name).draw(replace(seen, classes=letters)).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == letters
    if name == "disagreements":
        assert "true 41, 1 differ\npredicted 41, 42" in ax.get_title()


@pytest.mark.parametrize(("n_classes", "shown"), [(2, 2), (10, 10), (26, 9), (47, 10), (62, 11)])
def test_names_of_many_classes_have_room(n_classes: int, shown: int) -> None:
    ticks = class_ticks([str(k) for k in range(n_classes)])
    assert all(ticks[k] == str(k) for k in ticks)
    assert len({later - before for before, later in pairwise(ticks)}) == 1
    assert len(ticks) == shown
    assert len(" ".join(ticks.values())) <= CHARACTERS + 2


def test_learning_curves_draw_the_median_of_both_splits(view: View) -> None:
    figure = find_figure("learning-curves").draw(view)
    shown = [ax.get_title().splitlines()[0] for ax in figure.axes]
    assert shown == ["teacher", "labels", "soft, T = 4", "soft, T = 1"]
    assert find_figure("learning-curves").note(view).startswith("leaves out 4 sets of trees")
    ax = figure.axes[1]
    training, validation = ax.get_lines()
    np.testing.assert_allclose(training.get_ydata(), [1.0, 0.5, 0.2])
    np.testing.assert_allclose(validation.get_ydata(), [1.5, 0.75, 0.3])
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert ax.get_yscale() == "log"
    assert "nats" in ax.get_ylabel()
    assert "3 seeds" in ax.get_title()
    assert len(ax.collections) == 2  # a band for each split
    assert "0 is a perfect match" in figure.texts[-1].get_text()


@pytest.mark.parametrize(
    ("scale", "ticks"), [(1.0, {"0.1", "0.2", "0.5", "1"}), (1e-4, {"1e-06", "0.01", "1"})]
)
def test_learning_curves_have_numbers_on_their_loss_axis_and_room_for_them(
    view: View, scale: float, ticks: set[str]
) -> None:
    small = students("soft, T = 4", curves=Curves(EPOCHS, TRAIN * scale, TRAIN * scale))
    figure = find_figure("learning-curves").draw(replace(view, students=[small]))
    figure.canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert ticks <= {label.get_text() for label in ax.get_yticklabels()}
        assert ax.yaxis.label.get_window_extent().x0 >= 0


def test_decision_boundaries_show_probability_accuracy_and_both_boundaries(view: View) -> None:
    figure = find_figure("decision-boundaries").draw(view)
    titles = [ax.get_title() for ax in figure.axes[:-1]]
    assert titles[0] == "Bayes optimum\ntest accuracy 97.72%"
    assert titles[1] == "teacher (mlp:4)\ntest accuracy 95.01%"
    assert len(titles) == 9
    assert titles[4] == "labels (tree)\ntest accuracy 95.01%"
    assert figure.texts[-1].get_text().startswith("Students: seed 0 of each set.")
    ax = figure.axes[2]
    (image,) = ax.get_images()
    assert (image.norm.vmin, image.norm.vmax) == (0, 1)
    left, right = ax.get_xlim()
    assert left < -3 < 3 < right
    contours = [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]
    crossings = [float(np.mean(c.get_paths()[0].vertices[:, 0])) for c in contours]
    assert crossings == pytest.approx([1.0, 0.0], abs=0.02)
    points = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    assert sum(len(c.get_offsets()) for c in points) == 60


def test_accuracy_by_leaves_draws_a_line_for_each_target(view: View) -> None:
    figure = find_figure("accuracy-by-leaves").draw(view)
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines() if not str(line.get_label()).startswith("_")}
    levels = {name: line.get_ydata()[0] for name, line in lines.items()}
    assert levels == {"teacher": 0.9712, "Bayes optimum": 0.9772}
    bars = {container.get_label(): container for container in ax.containers}
    assert set(bars) == {"labels", "soft, T = 1"}
    line, _, (stems,) = bars["labels"].lines
    np.testing.assert_allclose(line.get_xydata(), [[4, 0.9], [60, 0.8]])
    np.testing.assert_allclose(stems.get_segments()[1], [[60, 0.79], [60, 0.81]])
    np.testing.assert_allclose(bars["soft, T = 1"].lines[0].get_xydata(), [[4, 0.85]])  # not by depth
    assert [text.get_text() for text in ax.texts] == ["no limit"]
    assert ax.texts[0].xy == (60, pytest.approx(0.8))
    assert ax.get_xscale() == "log"
    assert "1 set of trees" in find_figure("accuracy-by-leaves").note(view)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["teacher", "Bayes optimum", "labels", "soft, T = 1"]


@pytest.mark.parametrize("count", [1, 4, 9])
def test_the_legend_stays_in_the_picture_and_clear_of_the_panel(view: View, count: int) -> None:
    sets = [
        trees(f"soft, T = {k}, w = 0.25", f"tree:max_leaf_nodes={k}{n}", k + n, 0.9)
        for k in range(count)
        for n in (4, 8)
    ]
    figure = find_figure("accuracy-by-leaves").draw(replace(view, students=sets))
    figure.canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[0].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1


def test_lines_differ_in_looks() -> None:
    assert len({tuple(line_look(k).values()) for k in range(60)}) == 60


def test_metrics_by_temperature_draw_intervals_and_the_control(view: View) -> None:
    left, right = find_figure("metrics-by-temperature").draw(view).axes
    assert "accuracy" in left.get_ylabel()
    assert "nats" in right.get_ylabel()
    (bars,) = left.containers
    line, _, (stems,) = bars.lines
    assert bars.get_label() == "soft → mlp:4"
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.81], [4, 0.945]])
    np.testing.assert_allclose(stems.get_segments(), [[[1, 0.7], [1, 0.9]], [[4, 0.9], [4, 0.99]]])
    levels = {
        str(line.get_label()): line.get_ydata()[0] for line in left.get_lines() if line is not bars.lines[0]
    }
    assert levels["labels → mlp:4"] == levels["teacher"] == pytest.approx(0.945)
    weighed = [replace(s, variant="w = 0.3") if s.target == "soft" else s for s in view.students]
    again = find_figure("metrics-by-temperature").draw(replace(view, students=weighed)).axes[0]
    assert "labels → mlp:4" in [line.get_label() for line in again.get_lines()]
    assert "95 %" in left.figure.texts[-1].get_text()
    assert [tick for tick in left.get_xticks() if tick > 0] == [1, 4]


def test_shuffled_targets_have_a_line_beside_the_soft_ones(view: View) -> None:
    endless = scores(math.inf, math.inf)
    shuffled = [students(f"shuffled, T = {t}", score=endless) for t in (1, 4)]
    sets = [*shuffled, *view.students]
    left, right = find_figure("metrics-by-temperature").draw(replace(view, students=sets)).axes
    assert [bars.get_label() for bars in left.containers] == ["soft → mlp:4", "shuffled → mlp:4"]
    assert np.isnan(right.containers[1].lines[0].get_ydata()).all()  # infinite, and so not drawn


def test_differences_are_drawn_with_their_verdicts_by_marker_and_word(view: View) -> None:
    figure = find_figure("differences").draw(view)
    accuracy, likelihood = figure.axes
    rows = [label.get_text() for label in accuracy.get_yticklabels()]
    assert rows == ["mlp:4", "hard", "soft, T = 4", "tree", "hard"]
    drawn = {}
    for bars in accuracy.containers:
        line, _, stems = bars.lines
        ((x, y),) = line.get_xydata()
        drawn[float(y)] = (x, line.get_marker(), stems[0].get_segments() if stems else None)
    x, marker, stems = drawn[-1.0]
    assert (x, marker) == (1.5, "^")
    np.testing.assert_allclose(stems, [[[0.5, -1], [2.5, -1]]])
    assert drawn[-2.0][1] == "o"
    assert drawn[-4.0] == (0.1, "x", None)
    texts = [text.get_text() for text in likelihood.texts]
    assert texts == ["∞ for the control alone: better", "∞ for both"]
    assert likelihood.get_lines()[0].get_xdata() == [0, 0]
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["better", "worse", "no difference shown", "a single seed: no verdict"]
    assert "control" in find_figure("differences").obstacle(replace(view, differences=list))


def test_a_set_without_a_seed_in_common_with_its_control_has_a_row_that_says_so(view: View) -> None:
    nothing = [
        Difference("mlp:4", "soft, T = 2", metric, axis, None, None, None, None, nothing=True)
        for metric, axis in (("accuracy", "accuracy (points)"), ("nll", "NLL (nats)"))
    ]
    kind = find_figure("differences")
    figure = kind.draw(replace(view, differences=lambda: [*nothing, *DIFFERENCES[:2]]))
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["mlp:4", "soft, T = 2", "hard"]
    for ax in figure.axes:
        assert [text.get_text() for text in ax.texts] == ["no seed in common"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["better", "worse"]
    assert kind.obstacle(replace(view, differences=lambda: DIFFERENCES)) == ""
    assert "no set has a seed left in common" in kind.obstacle(replace(view, differences=lambda: nothing))


@pytest.mark.parametrize(
    ("seed", "words"), [(3, "seed 3 of each"), (None, "the first seed that is left of each")]
)
def test_a_figure_of_single_students_says_which_they_are(
    view: View, images: View, seed: int | None, words: str
) -> None:
    for name in ("decision-boundaries", "confusion-matrices", "disagreements"):
        seen = replace(images if name == "disagreements" else view, seed=seed)
        assert words in find_figure(name).draw(seen).texts[-1].get_text().replace("\n", " ")


@pytest.mark.parametrize("name", ["metrics-by-temperature", "differences"])
def test_figures_with_a_control_name_the_sets_that_left_out_seeds(view: View, name: str) -> None:
    kind = find_figure(name)
    assert "Seeds whose" not in kind.draw(view).texts[-1].get_text()
    partial = [replace(s, part=s.target == "soft" and s.temperature == 4) for s in view.students]
    caption = kind.draw(replace(view, students=partial)).texts[-1].get_text()
    assert "Seeds whose training failed are left out: soft, T = 4 (mlp:4)." in caption


def test_reliability_draws_rates_with_their_intervals(view: View) -> None:
    figure = find_figure("reliability").draw(view)
    ax = figure.axes[0]
    assert ax.get_title() == "teacher (mlp:4)\nECE 94.50%"
    points = ax.collections[-1]
    np.testing.assert_allclose(points.get_offsets(), [[0.6, 0.5], [0.97, 1.0]])
    assert points.get_sizes()[1] > points.get_sizes()[0]
    (bars,) = ax.containers
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    for (low, high), right, n in zip(ends, (5, 50), (10, 50), strict=True):
        expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
        np.testing.assert_allclose((low, high), (expected.low, expected.high), atol=1e-6)


def test_accuracy_by_agreement_has_a_point_for_each_set(view: View) -> None:
    one = students("hard", score=scores(0.9, 0.99, agreement=0.97, accuracy=0.93))
    (ax,) = find_figure("accuracy-by-agreement").draw(replace(view, students=[one])).axes
    (bars,) = ax.containers
    np.testing.assert_allclose(bars.lines[0].get_xydata(), [[0.97, 0.93]])
    assert bars.get_label() == "hard"
    assert ax.get_lines()[-1].get_ydata()[0] == pytest.approx(0.945)  # the teacher
    assert "agreement" in ax.get_xlabel()
    assert "teacher" in find_figure("accuracy-by-agreement").obstacle(replace(view, teacher=None))


def test_confusion_matrices_count_test_examples(view: View) -> None:
    figure = find_figure("confusion-matrices").draw(view)
    ax = figure.axes[1]
    counts = {text.get_position(): int(text.get_text()) for text in ax.texts}
    predicted = np.tile([1, 0], 30)
    expected = {
        (p, t): int(((view.y_test == t) & (predicted == p)).sum()) for t in range(2) for p in range(2)
    }
    assert counts == {place: count for place, count in expected.items() if count}
    assert ax.get_title() == f"labels (mlp:4)\n{int((view.y_test != predicted).sum())} errors"
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array().sum(1), 1)


def test_dark_knowledge_is_the_mean_softened_probability_of_each_class(view: View) -> None:
    logits, y = knowledge()
    p = mean_probabilities(logits, y, 3, 2.0)
    soft = torch.from_numpy(logits / 2).softmax(1).numpy()
    np.testing.assert_allclose(p, [soft[:2].mean(0), soft[2], soft[3]])
    figure = find_figure("dark-knowledge").draw(replace(view, n_classes=3))
    titles = [ax.get_title() for ax in figure.axes if ax.get_images() and ax.get_title()]
    assert titles == ["T = 1", "T = 4"]
    (image,) = figure.axes[0].get_images()
    others = image.get_array()
    assert bool(others.mask[0, 0])
    expected = torch.from_numpy(logits[:2]).softmax(1)[:, 1].mean()
    assert float(others[0, 1]) == pytest.approx(float(expected))
    diagonal = [text.get_text() for text in figure.axes[0].texts]
    assert diagonal[1] == f"{100 * float(torch.tensor([0.0, 3.0, 0.0]).softmax(0)[1]):.3g}"


def test_disagreements_show_the_images_that_most_sets_see_differently(images: View) -> None:
    agreeing = np.tile([[0.3, 0.7], [0.6, 0.4]], (30, 1))
    odd, rare = agreeing.copy(), agreeing.copy()
    odd[[5, 8]] = odd[[5, 8]][:, ::-1]
    rare[8] = rare[8][::-1]
    sets = [students("labels", tested=lambda: odd), students("soft, T = 4", tested=lambda: rare)]
    figure = find_figure("disagreements").draw(replace(images, students=sets))
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == [
        f"no. 8, true {images.y_test[8]}, 2 differ",
        f"no. 5, true {images.y_test[5]}, 1 differ",
    ]
    assert figure.axes[0].get_title().endswith("predicted 1, 0, 0")
    assert figure.axes[1].get_title().endswith("predicted 0, 1, 0")
    heights = [[bar.get_height() for bar in group] for group in figure.axes[0].containers]
    np.testing.assert_allclose(heights, [agreeing[8], odd[8], rare[8]])
    agreed = replace(images, students=[students("labels")])
    assert "agree on every" in find_figure("disagreements").obstacle(agreed)


def test_more_sets_than_a_figure_has_room_for(view: View) -> None:
    crowd = [students(f"{k}", model) for model in ("mlp:4", "mlp:9") for k in range(6)]
    for name, panels in (("learning-curves", 7), ("decision-boundaries", 9)):
        kind = find_figure(name)
        crowded = replace(view, students=crowd)
        assert len(kind.draw(crowded).axes) == panels  # the boundaries have the optimum and a colour bar
        assert "shows 6 of 12 student sets, those of mlp:4" in kind.note(crowded)
        assert kind.note(replace(view, students=crowd[:6])) == ""
        assert "Shown are 6 of 12 student sets." in kind.draw(crowded).texts[-1].get_text()
    one_model = replace(view, students=[students(f"{k}") for k in range(20)])
    assert len(find_figure("learning-curves").draw(one_model).axes) == 12


def test_what_cannot_be_drawn_says_why(view: View) -> None:
    flat = replace(view, x_test=np.zeros((5, 3)))
    assert "two features" in find_figure("decision-boundaries").obstacle(flat)
    empty = replace(view, teacher=None, students=[], knowledge=None, differences=list)
    assert all(kind.obstacle(empty) for kind in FIGURES.values())
    only_trees = replace(view, teacher=None, students=view.students[2:-1])
    assert "only networks" in find_figure("learning-curves").obstacle(only_trees)
    assert "two temperatures" in find_figure("metrics-by-temperature").obstacle(only_trees)
    assert "the teacher is not trained" in find_figure("dark-knowledge").obstacle(
        replace(view, knowledge=None, n_classes=3)
    )
    assert "more than two classes" in find_figure("dark-knowledge").obstacle(view)
    assert "no room for more" in find_figure("confusion-matrices").obstacle(replace(view, n_classes=21))
    assert "needs images" in find_figure("disagreements").obstacle(view)
    one_size = replace(view, students=view.students[:3])
    assert "at least two sizes" in find_figure("accuracy-by-leaves").obstacle(one_size)


def test_unknown_posterior_leaves_out_the_bayes_boundary(view: View) -> None:
    figure = find_figure("decision-boundaries").draw(replace(view, posterior=None, bayes_accuracy=None))
    assert figure.axes[0].get_title().startswith("teacher")
    assert len([c for c in figure.axes[0].collections if type(c).__name__ == "QuadContourSet"]) == 1


def test_unknown_figure() -> None:
    with pytest.raises(UsageError, match="did you mean learning-curves"):
        find_figure("learning-curve")
