import math
from dataclasses import replace

import numpy as np
import pytest
from figures.views import caption, scores, students

from kdcli.figures.metrics_by_temperature import draw, finding, obstacle
from kdcli.figures.view import View


def test_intervals_and_the_control(view: View) -> None:
    figure = draw(view)
    left, right = figure.axes
    assert "accuracy" in left.get_ylabel()
    assert "nats" in right.get_ylabel()
    (bars,) = left.containers
    line, _, (stems,) = bars.lines
    assert bars.get_label() == "soft (mlp:4)"
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.81], [4, 0.945]])
    np.testing.assert_allclose(stems.get_segments(), [[[1, 0.7], [1, 0.9]], [[4, 0.9], [4, 0.99]]])
    levels = {str(level.get_label()): level.get_ydata()[0] for level in left.get_lines() if level is not line}
    assert levels["labels (mlp:4)"] == levels["teacher"] == pytest.approx(0.945)
    assert "for this teacher and these training data" in caption(figure)
    assert [tick for tick in left.get_xticks() if tick > 0] == [1, 4]


def test_lines_at_the_same_temperatures_are_moved_apart(view: View) -> None:
    assert "moved apart" not in caption(draw(view))
    soft = [s for s in view.students if s.target == "soft" and s.model == "mlp:4"]
    shuffled = [replace(s, settings={**s.settings, "target": "shuffled"}) for s in soft]
    figure = draw(replace(view, students=[*view.students, *shuffled]))
    places = [bars.lines[0].get_xdata(orig=False) for bars in figure.axes[0].containers]
    assert places[0][0] < 1 < places[1][0] < places[0][1] < 4 < places[1][1]
    np.testing.assert_allclose(places, [[1, 4]] * 2, rtol=0.02)
    assert "Lines are moved apart a little." in caption(figure)


def test_the_control_has_a_band_where_it_is_alone(view: View) -> None:
    figure = draw(view)
    assert [len(ax.patches) for ax in figure.axes] == [1, 1]
    assert caption(figure).startswith("Bars and the band of the control: 95 % intervals")
    bigger = [replace(s, model="mlp:9") for s in view.students if s.model == "mlp:4"]
    figure = draw(replace(view, students=[*view.students, *bigger]))
    assert [len(ax.patches) for ax in figure.axes] == [0, 0]
    assert caption(figure).startswith("Bars: 95 % intervals")


def test_sets_with_a_variant_have_the_plain_control(view: View) -> None:
    weighed = [replace(s, variant="w = 0.3") if s.target == "soft" else s for s in view.students]
    ax = draw(replace(view, students=weighed)).axes[0]
    assert "labels (mlp:4)" in [line.get_label() for line in ax.get_lines()]
    assert [bars.get_label() for bars in ax.containers] == ["soft (mlp:4, w = 0.3)"]


def test_controls_are_named_with_their_transfer_set_as_lines_are(view: View) -> None:
    munged = "n = 400 + munge:2"
    sets = [
        replace(s, variant=munged, settings={**s.settings, "transfer": "train:400+munge:2"})
        for s in view.students
    ]
    ax = draw(replace(view, students=[*view.students, *sets])).axes[0]
    levels = [str(line.get_label()) for line in ax.get_lines() if str(line.get_label()).startswith("labels")]
    assert levels == ["labels (mlp:4)", f"labels (mlp:4, {munged})"]
    assert [bars.get_label() for bars in ax.containers] == ["soft (mlp:4)", f"soft (mlp:4, {munged})"]


def test_students_of_the_teachers_labels_are_no_control(view: View) -> None:
    control, *others = view.students
    settings = {**control.settings, "labels_from": "teacher"}
    relabelled = replace(control, settings=settings, variant="labels from = teacher")
    for sets, levels in (([control, *others, relabelled], 1), ([*others, relabelled], 0)):
        lines = draw(replace(view, students=sets)).axes[0].get_lines()
        names = [str(line.get_label()) for line in lines if str(line.get_label()).startswith("labels")]
        assert names == ["labels (mlp:4)"] * levels


def test_shuffled_targets_have_a_line_beside_the_soft_ones(view: View) -> None:
    endless = scores(math.inf, math.inf)
    shuffled = [students(f"shuffled, T = {t}", score=endless) for t in (1, 4)]
    left, right = draw(replace(view, students=[*shuffled, *view.students])).axes
    assert [bars.get_label() for bars in left.containers] == ["soft (mlp:4)", "shuffled (mlp:4)"]
    assert np.isnan(right.containers[1].lines[0].get_ydata()).all()  # infinite, and so not drawn


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ("sampled", "over 3 draws of the data, each with its own teacher and students. Dashed"),
        ("split", "the intervals are corrected for the examples that draws share. Dashed"),
        ("test kept", "and over the test examples, which are the same in all draws. Dashed"),
    ],
)
def test_intervals_of_several_draws_are_over_draws(view: View, drawing: str, words: str) -> None:
    figure = draw(replace(view, draws=3, drawing=drawing))
    assert words in caption(figure)
    assert "this teacher" not in caption(figure)
    each = " in each draw" if drawing != "test kept" else ""
    assert figure.axes[0].get_ylabel() == f"test accuracy (60 examples{each})"


@pytest.mark.parametrize(
    ("accuracies", "losses", "told"),
    [
        ((0.8, 0.9), (0.3, 0.2), "highest accuracy (90.00 %) and lowest NLL (0.2 nats) at T = 4"),
        ((0.8, 0.9), (0.2, 0.3), "highest accuracy (90.00 %) at T = 4, lowest NLL (0.2 nats) at T = 1"),
        ((0.9, 0.9), (0.3, 0.2), "highest accuracy (90.00 %) at T = 1 and 4, lowest NLL (0.2 nats) at T = 4"),
        ((0.8, 0.9), (math.inf, 0.2), "highest accuracy (90.00 %) and lowest NLL (0.2 nats) at T = 4"),
        ((0.9, 0.8), (math.inf, math.inf), "highest accuracy (90.00 %) at T = 1; NLL infinite at every T"),
    ],
)
def test_the_title_tells_the_best_temperature_of_the_first_line(
    view: View, accuracies: tuple[float, ...], losses: tuple[float, ...], told: str
) -> None:
    sets = [
        students(f"soft, T = {t}", score=scores(0, 1, accuracy=accuracy, nll=nll))
        for t, accuracy, nll in zip((1, 4), accuracies, losses, strict=True)
    ]
    shuffled = [students(f"shuffled, T = {t}", score=scores(0, 1, accuracy=1.0)) for t in (1, 4)]
    assert finding(replace(view, students=[*shuffled, *sets])) == f"soft (mlp:4): {told}"


def test_a_set_that_chose_its_temperature_stands_there_unless_another_does(view: View) -> None:
    chosen = {"target": "soft", "temperature": "auto", "chosen_temperature": 4.0}
    auto = students("soft, T = 4 (auto)", score=scores(0, 1, accuracy=0.5), settings=chosen)
    beside = draw(replace(view, students=[auto, *view.students]))
    (bars,) = beside.axes[0].containers
    np.testing.assert_allclose(bars.lines[0].get_xydata(), [[1, 0.81], [4, 0.945]])
    rest = [subject for subject in view.students if subject.temperature == 1]
    (bars,) = draw(replace(view, students=[*rest, auto])).axes[0].containers
    np.testing.assert_allclose(bars.lines[0].get_xydata(), [[1, 0.81], [4, 0.5]])


def test_it_needs_two_temperatures(view: View) -> None:
    assert "two temperatures" in obstacle(replace(view, students=view.students[:2]))
