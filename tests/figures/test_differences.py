import math
from dataclasses import replace

import numpy as np
from figures.views import DIFFERENCES, NO_VARIATION, caption, difference, legend_labels

from kdcli.figures.differences import draw, finding, obstacle
from kdcli.figures.view import View


def test_verdicts_by_marker_and_word(view: View) -> None:
    figure = draw(view)
    accuracy, likelihood = figure.axes
    rows = [label.get_text() for label in accuracy.get_yticklabels()]
    assert rows == ["mlp:4", "hard", "soft, T = 4", "tree", "hard"]
    assert "percentage points" in accuracy.get_xlabel()
    assert "nats" in likelihood.get_xlabel()
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
    texts = [text.get_text() for text in likelihood.texts[2:]]
    assert texts == ["infinite for the control: better", "both infinite"]
    assert likelihood.get_lines()[0].get_xdata() == [0, 0]
    assert legend_labels(figure) == ["better", "worse", "inconclusive", "no verdict"]


def test_the_title_counts_the_verdicts_on_the_first_metric(view: View) -> None:
    assert finding(view) == "Accuracy against the control: 1 set better, 1 inconclusive"
    assert draw(view).get_suptitle() == f"{finding(view)}, run demo"

    def of_all(verdict: str | None) -> View:
        return replace(view, differences=lambda: [replace(d, verdict=verdict) for d in DIFFERENCES])

    assert finding(of_all("worse")) == "Accuracy against the control: 3 sets worse"
    assert finding(of_all(None)) == "Accuracy against the control: no verdict"


def test_the_caption_says_what_intervals_are_over_and_why_there_is_no_verdict(view: View) -> None:
    one_draw, four = caption(draw(view)), caption(draw(replace(view, draws=4)))
    assert "over test examples, and over seeds where there are several" in one_draw
    assert "for this teacher and these training data" in one_draw
    assert "over 4 draws of the data" in four
    assert "this teacher" not in four
    for text in (one_draw, four):
        assert "Verdicts are corrected" in text
        assert f"No verdict ({NO_VARIATION})." in text
    undecided = [replace(d, verdict=None, why="one seed") for d in DIFFERENCES]
    assert "Verdicts are" not in caption(draw(replace(view, differences=lambda: undecided)))


def test_a_set_without_a_seed_in_common_with_its_control_has_a_row_that_says_so(view: View) -> None:
    missing = {"mean": None, "low": None, "high": None, "verdict": None, "nothing": True}
    nothing = [replace(d, title="soft, T = 2", **missing) for d in DIFFERENCES[:2]]
    figure = draw(replace(view, differences=lambda: [*nothing, *DIFFERENCES[:2]]))
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["mlp:4", "soft, T = 2", "hard"]
    for ax in figure.axes:
        assert [text.get_text() for text in ax.texts[2:]] == ["no seed in common with the control"]
    assert legend_labels(figure) == ["better", "worse"]
    assert obstacle(view) == ""
    assert "has a seed in common" in obstacle(replace(view, differences=lambda: nothing))


def test_it_needs_a_control(view: View) -> None:
    assert "control" in obstacle(replace(view, differences=list))


def test_a_panel_of_infinite_differences_has_no_scale(view: View) -> None:
    endless = [difference("hard", "NLL", (math.inf,), (None, None), "worse")]
    shown = [difference("hard", "accuracy", (1.0,), (0.5, 1.5), "better"), *endless]
    left, right = draw(replace(view, differences=lambda: shown)).axes
    assert len(left.get_xticks()) > 1
    assert right.get_xticks().tolist() == [0]
