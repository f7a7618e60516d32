from dataclasses import replace

import numpy as np
import pytest

from kdcli.errors import UsageError
from kdcli.figures import FIGURES, find_figure
from kdcli.figures.view import Subject, View

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


def subject(title: str) -> Subject:
    return Subject(title, "mlp:4", "loss", EPOCHS, TRAIN, TRAIN * 1.5, 0.9712, right_half)


@pytest.fixture
def view() -> View:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2)).astype(np.float32) * 2
    students = [subject("labels"), subject("soft, T = 4")]
    return View("demo", 2, x, (x[:, 0] > 0).astype(int), exact, 0.9772, subject("teacher"), students)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_title_and_labelled_axes(view: View, name: str) -> None:
    figure = find_figure(name).draw(view)
    assert "demo" in figure.get_suptitle()
    assert figure.legends
    for ax in figure.axes:
        assert ax.get_ylabel()
        assert ax.get_xlabel() or ax is figure.axes[-1]  # the colour bar has one axis only


def test_learning_curves_draw_the_median_of_both_splits(view: View) -> None:
    figure = find_figure("learning-curves").draw(view)
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == ["teacher", "labels", "soft, T = 4"]
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


def test_decision_boundaries_show_probability_accuracy_and_both_boundaries(view: View) -> None:
    figure = find_figure("decision-boundaries").draw(view)
    titles = [ax.get_title() for ax in figure.axes[:-1]]
    assert titles[0] == "Bayes optimum\ntest accuracy 97.72%"
    assert titles[1] == "teacher (mlp:4)\ntest accuracy 97.12%"
    assert len(titles) == 4
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


def test_what_cannot_be_drawn_says_why(view: View) -> None:
    flat = replace(view, x_test=np.zeros((5, 3)))
    assert "two features" in find_figure("decision-boundaries").obstacle(flat)
    empty = replace(view, teacher=None, students=[])
    assert all(kind.obstacle(empty) for kind in FIGURES.values())
    assert not any(kind.obstacle(view) for kind in FIGURES.values())


def test_unknown_posterior_leaves_out_the_bayes_boundary(view: View) -> None:
    figure = find_figure("decision-boundaries").draw(replace(view, posterior=None, bayes_accuracy=None))
    assert figure.axes[0].get_title().startswith("teacher")
    assert len([c for c in figure.axes[0].collections if type(c).__name__ == "QuadContourSet"]) == 1


def test_unknown_figure() -> None:
    with pytest.raises(UsageError, match="did you mean learning-curves"):
        find_figure("learning-curve")
