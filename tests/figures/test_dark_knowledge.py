from dataclasses import replace

import numpy as np
import pytest
import torch
from figures.views import TRAIN_LOGITS, TRAIN_Y, caption

from kdcli.figures.dark_knowledge import draw, finding, mean_probabilities, obstacle
from kdcli.figures.view import View


def test_the_mean_softened_probability_of_each_class() -> None:
    p = mean_probabilities(TRAIN_LOGITS, TRAIN_Y, 3, 2.0)
    soft = torch.from_numpy(TRAIN_LOGITS / 2).softmax(1).numpy()
    np.testing.assert_allclose(p, [soft[:2].mean(0), soft[2], soft[3]])


def test_other_classes_by_colour_and_the_true_class_by_number(three_classes: View) -> None:
    figure = draw(three_classes)
    assert [ax.get_title() for ax in figure.axes] == ["T = 1", "T = 4"]
    ax = figure.axes[0]
    others = ax.get_images()[0].get_array()
    assert bool(others.mask[0, 0])
    expected = torch.from_numpy(TRAIN_LOGITS[:2]).softmax(1)[:, 1].mean()
    assert float(others[0, 1]) == pytest.approx(float(expected))
    diagonal = [text.get_text() for text in ax.texts]
    assert diagonal[1] == f"{100 * float(torch.tensor([0.0, 3.0, 0.0]).softmax(0)[1]):.3g}"
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "mean probability"


def test_the_title_tells_the_most_probable_other_class_at_the_higher_temperature(three_classes: View) -> None:
    p = float(torch.tensor([0.0, 0.0, 1.0]).div(4).softmax(0)[0])
    told = f"Most probable other class: top for examples of right, {100 * p:.2f} % on average at T = 4"
    assert finding(three_classes) == told
    soft = replace(three_classes.students[0], settings={"target": "soft", "temperature": 8.0})
    assert finding(replace(three_classes, students=[soft])).endswith("on average at T = 8")
    assert draw(three_classes).get_suptitle().replace("\n", " ") == f"{told}, run demo"


def test_the_caption_tells_of_the_first_draw_where_there_are_several(three_classes: View) -> None:
    assert "draw" not in caption(draw(three_classes))
    assert caption(draw(replace(three_classes, draws=3))).endswith("Shown is draw 0 of 3.")


def test_it_needs_a_teacher_and_more_than_two_classes(view: View, three_classes: View) -> None:
    assert "more than two classes" in obstacle(view)
    assert "the teacher is not trained" in obstacle(replace(three_classes, teacher_logits=None))
