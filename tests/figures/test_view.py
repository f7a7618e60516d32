from dataclasses import replace

import numpy as np
import torch
from figures.views import DIFFERENCES, TRAIN_LOGITS, students

from kdcli.figures.view import View, softmax


def test_softmax_is_that_of_pytorch() -> None:
    logits = np.stack([TRAIN_LOGITS, 100 * TRAIN_LOGITS])
    logits[0, 0, 2] = -np.inf  # a class that a tree excludes
    expected = torch.from_numpy(logits / 2).softmax(-1).numpy()
    np.testing.assert_allclose(softmax(logits, 2.0), expected)


def test_probabilities_are_those_of_the_seed_that_is_shown() -> None:
    subject = students("labels", logits=lambda: np.stack([TRAIN_LOGITS, -TRAIN_LOGITS]), shown=1)
    np.testing.assert_allclose(subject.probabilities(), softmax(-TRAIN_LOGITS))


def test_subjects_are_the_teacher_and_the_students(view: View) -> None:
    assert [subject.name for subject in view.subjects[:2]] == ["teacher (mlp:4)", "labels (mlp:4)"]
    assert replace(view, teacher=None).subjects == view.students


def test_the_better_side_of_a_difference() -> None:
    accuracy, nll = DIFFERENCES[:2]
    assert (accuracy.sign, nll.sign) == (1, -1)


def test_a_difference_names_its_axis_with_the_unit() -> None:
    accuracy, nll = DIFFERENCES[:2]
    assert accuracy.axis == "accuracy difference from control\n(percentage points; higher is better)"
    assert nll.axis == "NLL difference from control\n(nats; lower is better)"
    assert replace(nll, metric="Brier score", unit="").axis.endswith("\n(lower is better)")
