from dataclasses import replace

import numpy as np
import pytest
from figures.study_views import MODELS, NOISE, SIZE, study
from figures.views import assert_legible, caption, laid_out
from matplotlib.figure import Figure

from kdcli.figures.canvas import title_of
from kdcli.figures.study_map import draw, obstacle
from kdcli.figures.study_view import Key, SetOfRun, StudyRun, StudyView

GAINED = {
    (0, 0): (3.25, "better"),
    (1, 0): (-5.5, "no difference shown"),
    (2, 0): (0.0, "no difference shown"),
    (0, 1): (-1.0, "worse"),
}
LARGE = Key("size", list(range(1, 21)), list(map(str, range(1, 21))))


def cells(figure: Figure) -> dict[tuple[float, float], str]:
    """What is written in each cell."""
    return {text.get_position(): text.get_text() for text in figure.axes[0].texts}


def test_each_pair_of_values_has_a_cell_with_its_gain() -> None:
    figure = draw(study([NOISE, SIZE], gained=GAINED))
    ax, bar = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("noise (standard deviation)", "transfer_size (examples)")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1", "0.2", "0.3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["50", "2000"]
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array(), [[3.25, -5.5, 0.0], [-1.0, 2.0, 2.0]])
    assert bar.get_ylabel() == "accuracy gain (percentage points)"
    assert "Numbers: what soft gains over labels in test accuracy, in percentage points." in caption(figure)
    assert (
        title_of(figure)
        == "soft gains most at noise = 0.1, transfer_size = 50: 3.2 points of accuracy, study demo"
    )


def test_the_scale_is_even_about_zero() -> None:
    (image,) = draw(study([NOISE, SIZE], gained=GAINED)).axes[0].get_images()
    assert (image.norm.vmin, image.norm.vmax) == (-5.5, 5.5)
    nothing = {(k, m): (0.0, None) for k in range(3) for m in range(2)}
    (image,) = draw(study([NOISE, SIZE], gained=nothing)).axes[0].get_images()
    assert image.norm.vmax == pytest.approx(0.1)


def test_verdicts_are_marked_and_the_marks_explained() -> None:
    figure = draw(study([NOISE, SIZE], gained=GAINED))
    written = cells(figure)
    assert written[0, 0] == "+3.2 ▲"
    assert written[1, 0] == "−5.5"
    assert written[2, 0] == "0.00"
    assert written[0, 1] == "−1.0 ▼"
    words = "▲ better than the control or ▼ worse than the control, by verdicts that are corrected"
    assert words in caption(figure)
    undecided = caption(draw(study([NOISE, SIZE])))
    assert "▲" not in undecided
    assert "No verdict confirms a difference" in undecided


def test_numbers_are_legible_on_dark_cells() -> None:
    figure = draw(study([NOISE, SIZE], gained=GAINED))
    colors = {text.get_position(): text.get_color() for text in figure.axes[0].texts}
    assert colors[1, 0] == "white"
    assert colors[2, 0] == "black"


def test_runs_that_are_not_there_leave_gaps() -> None:
    figure = draw(study([NOISE, SIZE], missing=[(1, 1)]))
    assert (1, 1) not in cells(figure)
    (image,) = figure.axes[0].get_images()
    assert np.argwhere(np.ma.getmaskarray(image.get_array())).tolist() == [[1, 1]]
    assert "Without results so far: 1 of 6 runs. Hatched: no results." in caption(figure)
    assert figure.axes[0].patch.get_hatch()
    assert "Hatched" not in caption(draw(study([NOISE, SIZE])))


def test_further_keys_are_averaged_over_and_the_verdicts_counted() -> None:
    gained = {(0, 0, 0): (4.0, "better"), (0, 0, 1): (2.0, "better"), (1, 0, 1): (-1.0, "worse")}
    figure = draw(study([NOISE, SIZE, MODELS], gained=gained))
    assert cells(figure)[0, 0] == "+3.0 ▲2"
    assert cells(figure)[1, 0] == "+0.50 ▼1"
    assert "in so many runs of the cell" in caption(figure)
    assert "Each cell is a mean over the runs that differ in models alone." in caption(figure)


def test_the_treatment_that_gains_or_loses_most_is_shown() -> None:
    view = study([NOISE, SIZE])
    worse = SetOfRun("hard", view.runs[0].sets[1].scores, -9.0, "no difference shown")
    runs = [replace(run, sets=[*run.sets, worse]) for run in view.runs]
    figure = draw(replace(view, runs=runs, treatments=["labels", "soft", "hard"]))
    assert "hard loses most" in title_of(figure)
    assert set(cells(figure).values()) == {"−9.0"}


def test_what_does_not_apply_has_a_reason() -> None:
    assert obstacle(study([NOISE, SIZE])) == ""
    assert obstacle(study()) == "it needs two keys that vary"
    many = Key("seed", list(range(21)), list(map(str, range(21))))
    assert obstacle(study([NOISE, many])) == "it has room for 20 values of a key, and seed has 21"
    assert "second key with 2 to 20 values beside noise" in obstacle(study([NOISE, many], by=0))
    view = study([NOISE, SIZE])
    alone = replace(view, runs=[replace(run, sets=run.sets[:1]) for run in view.runs])
    assert "compared with a control" in obstacle(alone)
    apart = replace(
        view, runs=[StudyRun((0, None), view.runs[0].sets), StudyRun((None, 1), view.runs[0].sets)]
    )
    assert obstacle(apart) != ""


WIDE = Key("transfer", [f"munge:{k}" for k in range(4)], [f"train:400 + munge:{k} + rest" for k in range(4)])


@pytest.mark.parametrize(
    "view",
    [
        study([NOISE, SIZE], gained=GAINED),
        study([NOISE, WIDE], gained=GAINED),
        study([WIDE, MODELS], gained=GAINED),
        study([replace(LARGE, name="width"), LARGE], gained={(0, 0): (-12.3, "worse")}),
    ],
)
def test_no_text_is_cut_or_over_another(view: StudyView) -> None:
    figure = laid_out(draw(view))
    assert_legible(figure)
