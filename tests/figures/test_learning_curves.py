from dataclasses import replace

import numpy as np
import pytest
from views import EPOCHS, TRAIN, caption, laid_out, students

from kdcli.commands import text
from kdcli.figures.learning_curves import draw, note, obstacle
from kdcli.figures.view import Curves, View


def test_the_median_of_both_splits(view: View) -> None:
    figure = draw(view)
    titles = [ax.get_title().splitlines()[0] for ax in figure.axes]
    assert titles == ["teacher", "labels", "soft, T = 4", "soft, T = 1"]
    ax = figure.axes[1]
    training, validation = ax.get_lines()
    np.testing.assert_allclose(training.get_ydata(), [1.0, 0.5, 0.2])
    np.testing.assert_allclose(validation.get_ydata(), [1.5, 0.75, 0.3])
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert ax.get_yscale() == "log"
    assert "nats" in ax.get_ylabel()
    assert "3 seeds" in ax.get_title()
    assert len(ax.collections) == 2  # a band for each split
    assert "0 at a perfect match" in caption(figure)


@pytest.mark.parametrize(
    ("scale", "ticks"), [(1.0, {"0.1", "0.2", "0.5", "1"}), (1e-4, {"1e-06", "0.01", "1"})]
)
def test_numbers_on_the_loss_axis_and_room_for_them(view: View, scale: float, ticks: set[str]) -> None:
    small = students("soft, T = 4", curves=lambda: Curves(EPOCHS, TRAIN * scale, TRAIN * scale))
    for ax in laid_out(draw(replace(view, students=[small]))).axes:
        assert ticks <= {label.get_text() for label in ax.get_yticklabels()}
        assert ax.yaxis.label.get_window_extent().x0 >= 0


def test_models_that_are_not_trained_by_gradients_are_left_out(view: View) -> None:
    assert note(view) == "leaves out 4 student sets not trained by gradients"
    trees = [subject for subject in view.students if "leaves" in subject.recorded]
    assert "learning curves" in obstacle(replace(view, teacher=None, students=trees))
    teacher = replace(students("teacher"), curves=lambda: None)
    titles = [ax.get_title() for ax in draw(replace(view, teacher=teacher)).axes]
    assert titles[0].startswith("labels")


def test_more_sets_than_there_is_room_for(view: View) -> None:
    crowd = [students(f"{k}", model) for model in ("mlp:4", "mlp:9") for k in range(6)]
    crowded = replace(view, students=crowd)
    assert len(draw(crowded).axes) == 7
    assert "shows 6 of 12 student sets: those of mlp:4" in text(note(crowded))
    assert "The figure shows 6 of 12 student sets." in caption(draw(crowded))
    assert len(draw(replace(view, students=[students(f"{k}") for k in range(20)])).axes) == 12
