import math
from dataclasses import replace

import numpy as np
import pytest
from figures.study_views import MODELS, NOISE, SIZE, level, sets, study
from figures.views import assert_legible, caption, laid_out, legend_labels
from matplotlib.axes import Axes

from kdcli.figures.canvas import title_of
from kdcli.figures.study_lines import draw, obstacle
from kdcli.figures.study_view import Key, SetOfRun, StudyRun, StudyView

SMOOTHING = Key("smoothing", [0, 0.1, 0.2, 0.3], ["0", "0.1", "0.2", "0.3"])
MANY = Key("seed", list(range(13)), list(map(str, range(13))))


def points(ax: Axes, treatment: str) -> np.ndarray:
    """The means of a treatment's line on a panel."""
    (bars,) = [bars for bars in ax.containers if bars.get_label() == treatment]
    return np.array(bars.lines[0].get_ydata())


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def test_accuracy_and_nll_of_one_key_stand_beside_each_other() -> None:
    figure = draw(study())
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "noise (standard deviation)"
    assert (left.get_ylabel(), right.get_ylabel()) == ("test accuracy", "test NLL (nats)")
    assert ticks(left) == ["0.1", "0.2", "0.3"]
    np.testing.assert_allclose(points(left, "labels"), [0.9, 0.89, 0.88])
    np.testing.assert_allclose(points(left, "soft"), [0.92, 0.91, 0.9])
    np.testing.assert_allclose(points(right, "soft"), [0.3] * 3)
    assert legend_labels(figure) == ["labels", "soft", "teacher", "Bayes optimum"]


def test_bars_are_the_intervals_and_stand_near_the_values() -> None:
    ax = draw(study()).axes[0]
    control, soft = ax.containers
    (stems,) = control.lines[2]
    ends = np.array(stems.get_segments())
    np.testing.assert_allclose(ends[:, :, 1], [[0.88, 0.91], [0.87, 0.9], [0.86, 0.89]])
    places = np.array([control.lines[0].get_xdata(), soft.lines[0].get_xdata()])
    np.testing.assert_allclose(places.mean(0), [0.1, 0.2, 0.3])
    assert np.all((places[1] > places[0]) & (places[1] - places[0] < 0.01))


def test_the_control_is_dashed_and_the_optimum_a_line_of_its_own() -> None:
    ax = draw(study()).axes[0]
    control, soft = (bars.lines[0] for bars in ax.containers)
    assert (control.get_linestyle(), soft.get_linestyle()) == ("--", "-")
    assert control.get_color() != soft.get_color()
    levels = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_allclose(levels["Bayes optimum"], [0.97] * 3)
    np.testing.assert_allclose(levels["teacher"], [0.95] * 3)
    unknown = replace(study(), runs=[replace(run, levels={}) for run in study().runs])
    assert legend_labels(draw(unknown)) == ["labels", "soft"]


def test_a_second_key_has_a_panel_for_each_value_and_metric() -> None:
    figure = draw(study([NOISE, SIZE]))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["transfer_size = 50", "transfer_size = 2000"] * 2
    assert [ax.get_ylabel() for ax in figure.axes] == ["test accuracy"] * 2 + ["test NLL (nats)"] * 2
    np.testing.assert_allclose(points(figure.axes[1], "labels"), [0.89, 0.88, 0.87])
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert "mean over the runs" not in caption(figure)


def test_many_values_of_a_second_key_leave_no_room_for_nll() -> None:
    wide = Key("width", [1, 2, 3, 4, 5], list("12345"))
    figure = draw(study([wide, SMOOTHING], by=1))
    assert [ax.get_title() for ax in figure.axes] == [f"width = {k}" for k in range(1, 6)]
    assert {ax.get_ylabel() for ax in figure.axes} == {"test accuracy"}


def test_further_keys_are_averaged_over() -> None:
    figure = draw(study([SIZE, MODELS, NOISE]))  # noise has most values; models are averaged over
    ax = figure.axes[0]
    assert ax.get_title() == "transfer_size = 50"
    np.testing.assert_allclose(points(ax, "labels"), [0.895, 0.885, 0.875])
    (stems,) = ax.containers[0].lines[2]
    np.testing.assert_allclose(np.array(stems.get_segments())[0, :, 1], [0.875, 0.905])
    assert "Each point is a mean over the runs that differ in models alone" in caption(figure)


def test_a_second_key_of_too_many_values_is_averaged_over() -> None:
    figure = draw(study([NOISE, MANY], by=0))
    assert len(figure.axes) == 2
    assert "differ in seed alone" in caption(figure)
    np.testing.assert_allclose(points(figure.axes[0], "labels"), [0.84, 0.83, 0.82])


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 20], "log"),
        ([1, 19], "linear"),
        ([0, 20], "linear"),
        ([-1, 20], "linear"),
        ([50, 100, 200], "log"),
        ([0.1, 0.2, 0.3], "linear"),
        ([100, 120, 144], "linear"),
    ],
)
def test_values_that_are_spread_geometrically_have_a_log_axis(values: list[float], scale: str) -> None:
    ax = draw(study([Key("x", values, list(map(str, values)))])).axes[0]
    assert ax.get_xscale() == scale
    assert ax.get_xlabel() == ("x, log scale" if scale == "log" else "x")
    assert ticks(ax) == list(map(str, values))


def test_ticks_that_have_no_room_are_left_out() -> None:
    near = Key("x", [1000, 1001, 2000, 3000], ["1000", "1001", "2000", "3000"])
    assert ticks(draw(study([near])).axes[0]) == ["1000", "2000", "3000"]


def test_what_is_no_number_has_categories() -> None:
    ax = draw(study([MODELS])).axes[0]
    assert ticks(ax) == ["mlp:4", "tree"]
    np.testing.assert_allclose(ax.get_xticks(), [0, 1])
    assert ax.get_xlabel() == "models"
    truths = Key("balanced", [False, True], ["false", "true"])
    assert ticks(draw(study([truths])).axes[0]) == ["false", "true"]
    assert study([MODELS, truths]).across == 0
    long = Key("transfer", [f"train:100 + munge:{k} + rest" for k in range(40)], ["a long text " * 5] * 40)
    assert len(ticks(draw(study([long])).axes[0])) < 10


def test_the_key_on_the_axis_is_the_numeric_one_of_most_values_or_the_one_asked_for() -> None:
    keys = [MANY, SMOOTHING]
    assert draw(study(keys)).axes[0].get_xlabel() == "seed"
    assert draw(study(keys, by=1)).axes[0].get_xlabel() == "smoothing"
    assert draw(study([MODELS, SIZE])).axes[0].get_xlabel() == "transfer_size (examples), log scale"
    assert draw(study([SIZE, MODELS], by=1)).axes[0].get_xlabel() == "models"


def test_runs_that_are_not_there_leave_gaps() -> None:
    figure = draw(study(missing=[(1,)]))
    line = points(figure.axes[0], "soft")
    assert np.isnan(line).tolist() == [False, True, False]
    assert "Without results so far: 1 of 3 runs." in caption(figure)
    assert "Hollow" not in caption(figure)
    assert figure.axes[0].get_xticks()[1] == pytest.approx(0.2)


def test_means_that_lack_runs_are_hollow() -> None:
    view = study([NOISE, MANY], missing=[(1, 12)], by=0)
    figure = draw(view)
    ax = figure.axes[0]
    hollow = [line for line in ax.get_lines() if line.get_markerfacecolor() == "white"]
    assert {line.get_zorder() for line in hollow} == {3}  # over the points of the lines
    assert [line.get_ydata() for line in hollow] == [pytest.approx([0.835]), pytest.approx([0.855])]
    assert "Hollow: a mean that lacks such a run." in caption(figure)


def test_runs_that_do_not_set_the_key_are_left_out() -> None:
    view = study([NOISE, SIZE], by=0)
    others: list[tuple[int | None, ...]] = [(None, 0), (None, 1)]
    alone = [StudyRun((k, None), sets((k, None))) for k in range(3)]
    only = replace(view, runs=[*alone, *(StudyRun(place, sets(place)) for place in others)])
    figure = draw(only)
    assert "Left out: 2 runs without a noise of their own." in caption(figure)
    np.testing.assert_allclose(points(figure.axes[0], "labels"), [level((k,)) for k in range(3)])
    assert [ax.get_title() for ax in figure.axes] == ["", ""]
    both = draw(replace(only, runs=[*view.runs, *only.runs]))
    assert [ax.get_title() for ax in both.axes][:3] == [
        "transfer_size = 50",
        "transfer_size = 2000",
        "transfer_size not set",
    ]


def test_infinite_and_unknown_values_are_left_out() -> None:
    endless = SetOfRun("hard", {"accuracy": (0.9, None, None), "nll": (math.inf, None, None)}, 0.0, None)
    view = study()
    runs = [replace(run, sets=[*run.sets, endless]) for run in view.runs]
    figure = draw(replace(view, runs=runs, treatments=["labels", "soft", "hard"]))
    np.testing.assert_allclose(points(figure.axes[0], "hard"), [0.9] * 3)
    assert np.isnan(points(figure.axes[1], "hard")).all()
    assert "infinite value are left out" in caption(figure)


def test_of_many_treatments_those_beside_the_one_that_tells_most_are_drawn() -> None:
    view = study()

    def of_model(treatment: str, gain: float | None) -> SetOfRun:
        return replace(view.runs[0].sets[1], treatment=treatment, gain=gain)

    names = [f"{target} (m{k})" for k in range(5) for target in ("labels", "soft")]
    more = [of_model(name, None if "labels" in name else float(name[-2])) for name in names]
    control_of = {f"soft (m{k})": f"labels (m{k})" for k in range(5)}
    runs = [replace(run, sets=more) for run in view.runs]
    figure = draw(replace(view, runs=runs, treatments=names, control_of=control_of))
    assert legend_labels(figure) == ["labels (m4)", "soft (m4)", "teacher", "Bayes optimum"]
    assert "The figure shows 2 of 10 treatments." in caption(figure)


@pytest.mark.parametrize(
    ("gained", "title"),
    [
        ({(1,): (3.21, "better")}, "soft gains most at noise = 0.2: 3.2 points of accuracy, study demo"),
        (
            {(1,): (3.21, "no difference shown")},
            "soft gains most at noise = 0.2: 3.2 points of accuracy (inconclusive)",
        ),
        ({(1,): (3.21, None)}, "soft gains most at noise = 0.2: 3.2 points of accuracy (no verdict)"),
        ({(0,): (-4.0, "worse")}, "soft loses most at noise = 0.1: 4.0 points of accuracy, study demo"),
        (
            {(0,): (-4.0, "no difference shown"), (2,): (0.5, "better")},
            "at noise = 0.3: 0.50 points of accuracy, study",
        ),
        ({(k,): (0.0, None) for k in range(3)}, "soft: as accurate as the control everywhere, study demo"),
    ],
)
def test_the_title_tells_where_most_is_gained(gained: dict, title: str) -> None:
    assert title in title_of(draw(study(gained=gained)))


def test_the_title_of_means_counts_the_runs_that_confirm_it() -> None:
    gained = {(0, 0): (4.0, "better"), (0, 1): (3.0, "no difference shown")}
    title = title_of(draw(study([NOISE, MANY], gained=gained, by=0)))
    assert "soft gains most at noise = 0.1: 2.2 points of accuracy (better in 1 of 13 runs)" in title


def test_without_a_comparison_the_title_tells_where_accuracy_is_highest() -> None:
    view = study()
    alone = replace(view, runs=[replace(run, sets=run.sets[:1]) for run in view.runs], treatments=["labels"])
    figure = draw(replace(alone, control_of={}))
    assert title_of(figure) == "labels is most accurate at noise = 0.1: 90.00 %, study demo"
    assert "Dashed" not in caption(figure)


def test_intervals_of_several_draws_are_over_draws() -> None:
    assert "95 % intervals over test examples, and over seeds" in caption(draw(study()))
    assert "95 % intervals over the draws of the data" in caption(draw(replace(study(), draws=10)))


def test_what_does_not_apply_has_a_reason() -> None:
    assert obstacle(study()) == ""
    single = study([Key("noise", [0.1], ["0.1"])])
    assert obstacle(single) == "it needs a key with two values, and noise has one"
    unset = replace(study([NOISE, SIZE], by=0), runs=[StudyRun((None, 0), sets((None, 0)))])
    assert obstacle(unset) == "no run that is there has a noise of its own"


WIDE = Key("transfer", [f"munge:{k}" for k in range(4)], [f"train:400 + munge:{k} + rest" for k in range(4)])


@pytest.mark.parametrize(
    "view",
    [
        study(),
        study([NOISE, SIZE]),
        study([NOISE, SMOOTHING], by=0),
        study([NOISE, WIDE, MODELS], by=1),
        study([WIDE]),
        study([Key("learning_rate", [0.001, 0.003, 0.01, 0.03], ["0.001", "0.003", "0.01", "0.03"]), MANY]),
    ],
)
def test_no_text_is_cut_or_over_another(view: StudyView) -> None:
    figure = laid_out(draw(view))
    assert_legible(figure)
