from dataclasses import replace

import numpy as np
import pytest
from figures.views import EPOCHS, TRAIN, assert_legible, caption, laid_out, students

from kdcli.commands import text
from kdcli.figures.learning_curves import draw, finding, has_risen, note, obstacle
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


def test_the_median_of_all_draws_and_seeds(draws: View) -> None:
    figure = draw(draws)
    ax = figure.axes[1]
    training, _ = ax.get_lines()
    np.testing.assert_allclose(training.get_ydata(), [1.5, 0.7, 0.3])
    assert ax.get_title() == "labels\nmlp:4, 2 draws × 3 seeds"
    assert caption(figure).startswith("Lines: median over draws and seeds;")


ACCURACY = np.array([[[0.5, 0.8, 0.9], [0.5, 0.9, 1.0], [0.5, 0.7, 0.8]]])


def test_accuracy_below_the_loss_of_each_model(view: View) -> None:
    both = Curves(EPOCHS, TRAIN, TRAIN * 1.5, ACCURACY, ACCURACY - 0.1)
    of_all = [replace(s, curves=lambda: both) for s in (view.teacher, *view.students[:2]) if s]
    figure = draw(replace(view, teacher=of_all[0], students=of_all[1:]))
    losses, accuracies = figure.axes[:3], figure.axes[3:]
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss (nats)"] * 3 + ["accuracy"] * 3
    for loss, accuracy in zip(losses, accuracies, strict=True):
        assert accuracy.get_position().y1 < loss.get_position().y0
        assert accuracy.get_xlim() == loss.get_xlim() == (0, 10)
        training, validation = accuracy.get_lines()
        np.testing.assert_allclose(training.get_ydata(), [0.5, 0.8, 0.9])
        np.testing.assert_allclose(validation.get_ydata(), [0.4, 0.7, 0.8])
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert accuracy.get_ylim() == accuracies[0].get_ylim()
    assert "trained before" not in caption(figure)
    assert_legible(laid_out(figure))
    assert any(label.get_text() == "80 %" for label in accuracies[0].get_yticklabels())


def test_models_whose_accuracy_was_not_recorded_have_losses_alone(view: View) -> None:
    assert len(draw(view).axes) == 4
    newer = students("hard", curves=lambda: Curves(EPOCHS, TRAIN, TRAIN, ACCURACY, ACCURACY))
    figure = draw(replace(view, students=[view.students[0], newer]))
    assert [len(ax.get_lines()) for ax in figure.axes] == [2, 2, 2, 0, 0, 2]
    assert "Models without accuracies were trained before kd recorded them." in caption(figure)


def curves_of(*losses: float) -> Curves:
    """Curves of one model with this validation loss."""
    val = np.array([[losses]])
    return Curves(np.arange(len(losses)), val, val)


FALLING, RISING = curves_of(1.0, 0.5, 0.4), curves_of(1.0, 0.5, 0.6)


@pytest.mark.parametrize(
    ("of_each", "told"),
    [
        ([FALLING, FALLING], "No sign of overfitting: no validation loss ends clearly above its minimum"),
        (
            [RISING, FALLING, RISING],
            "Sign of overfitting in 2 of 3 panels: validation loss ends clearly above its minimum",
        ),
        ([RISING], "Sign of overfitting: validation loss ends clearly above its minimum"),
    ],
)
def test_the_title_tells_of_overfitting(view: View, of_each: list[Curves], told: str) -> None:
    sets = [students(f"{k}", curves=lambda curves=curves: curves) for k, curves in enumerate(of_each)]
    assert finding(replace(view, teacher=None, students=sets)) == told


def test_a_loss_has_risen_where_its_last_tenth_is_clearly_above_the_lowest() -> None:
    falling = np.linspace(1, 0.1, 40)
    noise = 0.3 * np.resize([-1, 1], 40) * falling  # so that the last point is far above the lowest
    assert not has_risen(falling[None, None])
    assert not has_risen((falling + noise)[None, None])
    assert has_risen((falling + noise)[::-1][None, None])
    assert not has_risen(np.array([[[1.0, 0.5, 0.54]]]))
    assert has_risen(np.array([[[1.0, 0.5, 0.56]]]))


def test_the_median_over_draws_and_seeds_decides_whether_a_loss_has_risen() -> None:
    risen, fallen = [1.0, 0.5, 0.9], [1.0, 0.5, 0.1]
    for losses, told in (([fallen, risen, risen], True), ([risen, fallen, fallen], False)):
        of_seeds = np.array([losses])
        assert has_risen(of_seeds) is told
        assert has_risen(of_seeds.swapaxes(0, 1)) is told  # of as many draws


@pytest.mark.parametrize(
    ("scale", "ticks"), [(1.0, {"0.1", "0.2", "0.5", "1"}), (1e-4, {"1e-06", "0.01", "1"})]
)
def test_numbers_on_the_loss_axis_and_room_for_them(view: View, scale: float, ticks: set[str]) -> None:
    small = students("soft, T = 4", curves=lambda: Curves(EPOCHS, TRAIN * scale, TRAIN * scale))
    first, _ = laid_out(draw(replace(view, students=[small]))).axes
    assert ticks <= {label.get_text() for label in first.get_yticklabels()}
    assert first.yaxis.label.get_window_extent().x0 >= 0


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
