"""What holds of all figures."""

import re
from dataclasses import replace

import pytest
from figures.study_views import NOISE, SIZE, study
from figures.views import assert_legible, caption, laid_out, with_long_names

from kdcli.errors import UsageError
from kdcli.figures import FIGURES, STUDY_FIGURES, FigureKind, StudyFigureKind, find_figure
from kdcli.figures.canvas import described, title_of
from kdcli.figures.view import View


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_title_and_labelled_axes_in_the_picture(
    view: View, images: View, three_classes: View, draws: View, name: str
) -> None:
    suited = {"disagreements": images, "dark-knowledge": three_classes, "draws": draws}.get(name, view)
    assert find_figure(name).obstacle(suited) == ""
    figure = laid_out(find_figure(name).draw(suited))
    assert title_of(figure).endswith(", run demo")
    assert described(figure).startswith(title_of(figure))
    assert " against " in described(figure)
    bars = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    assert figure.legends or bars or figure.axes[0].child_axes
    for ax in figure.axes:
        assert ax.get_ylabel()
        assert ax.get_xlabel() or ax in bars  # a colour bar has one axis only
        box = ax.get_tightbbox()
        assert box is not None
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_every_figure_of_a_study_can_be_described(name: str) -> None:
    figure = STUDY_FIGURES[name].draw(study([NOISE, SIZE]))
    assert title_of(figure).endswith(", study demo")
    assert described(figure).startswith(f"{title_of(figure)}. ")
    assert " against noise (standard deviation)" in described(figure)


@pytest.mark.parametrize("kind", [*FIGURES.values(), *STUDY_FIGURES.values()], ids=lambda kind: kind.summary)
def test_every_figure_says_what_is_to_be_seen_in_it(kind: FigureKind | StudyFigureKind) -> None:
    assert 1 <= len(re.findall(r"\.(?= |$)", kind.see)) <= 3
    assert kind.see.endswith(".")
    assert " ".join(kind.see.split()) == kind.see


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("run", ["demo", "run-" * 25])
def test_no_title_is_cut_or_runs_into_a_panel(
    images: View, three_classes: View, draws: View, name: str, run: str
) -> None:
    suited = {"disagreements": images, "dark-knowledge": three_classes}.get(name, draws)
    figure = laid_out(find_figure(name).draw(replace(suited, run=run)))
    (title,) = [text for text in figure.texts if text.get_text() == figure.get_suptitle()]
    assert "".join(title.get_text().split()).endswith(f"run{run}")
    box = title.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1
    for ax in figure.axes:
        assert ax.get_tightbbox().y1 <= box.y0


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    ("words", "limits"),
    [
        ("", ""),
        ("n = 400 + munge:3", ":min_samples_leaf=10"),
        ("n = 400 + munge:3 + rest, labels from = teacher", ":min_samples_leaf=10,max_depth=12"),
        ("w" * 70, "m" * 70),
    ],
)
def test_no_text_is_cut_or_over_another_where_names_are_long(
    images: View, three_classes: View, draws: View, name: str, words: str, limits: str
) -> None:
    suited = {"disagreements": images, "dark-knowledge": three_classes}.get(name, draws)
    if words:
        suited = with_long_names(suited, words, limits)
    figure = laid_out(find_figure(name).draw(suited))
    boxes = assert_legible(figure)
    for ax in figure.axes:
        for text, box in boxes:
            assert text in ax.texts or not box.padded(-1).overlaps(ax.bbox), f"{text.get_text()!r} on a panel"


@pytest.mark.parametrize("name", ["confusion-matrices", "dark-knowledge"])
def test_matrices_call_classes_by_their_names(three_classes: View, name: str) -> None:
    ax = find_figure(name).draw(three_classes).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["top", "left", "right"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["top", "left", "right"]


@pytest.mark.parametrize(
    ("seed", "words"), [(3, "seed 3 of each set"), (None, "the first remaining seed of each set")]
)
def test_a_figure_of_single_students_says_which_they_are(
    view: View, images: View, seed: int | None, words: str
) -> None:
    for name in ("decision-boundaries", "confusion-matrices", "disagreements"):
        suited = replace(images if name == "disagreements" else view, seed=seed)
        assert words in caption(find_figure(name).draw(suited))


@pytest.mark.parametrize("name", ["metrics-by-temperature", "differences"])
def test_figures_with_a_control_name_the_sets_with_failed_seeds(view: View, name: str) -> None:
    kind = find_figure(name)
    assert "Seeds whose" not in caption(kind.draw(view))
    partial = [replace(s, partial=s.target == "soft" and s.temperature == 4) for s in view.students]
    figure = kind.draw(replace(view, students=partial))
    assert "Seeds whose training failed are left out: soft, T = 4 (mlp:4)." in caption(figure)


def test_a_run_without_models_has_no_figure(view: View) -> None:
    empty = replace(view, teacher=None, students=[], differences=list)
    assert all(kind.obstacle(empty) for kind in FIGURES.values())


def test_unknown_figure() -> None:
    with pytest.raises(UsageError, match="did you mean learning-curves"):
        find_figure("learning-curve")
