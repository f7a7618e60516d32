from kdcli.errors import Command
from kdcli.figures import FIGURES
from kdcli.report.page.blocks import Bullets, Figure, Fold
from kdcli.report.page.figures import Figures


def test_a_figure_says_what_to_see_and_what_it_leaves_out() -> None:
    note = ("shows one model; ", Command("plot"), " draws others")
    (chapter,) = Figures({"reliability": b"<svg/>"}, FIGURES, {}, {"reliability": note}).chapters()
    (figure,) = chapter.blocks
    assert isinstance(figure, Figure)
    assert figure.caption == FIGURES["reliability"].see
    assert figure.note == ("It ", *note, ".")


def test_figures_that_are_left_out_are_named_with_the_reason() -> None:
    (chapter,) = Figures({"reliability": b"<svg/>"}, FIGURES, {"draws": "it needs draws"}, {}).chapters()
    assert chapter.blocks[1] == Fold("Figures that are left out", [Bullets(["draws: it needs draws."])])


def test_without_figures_there_is_no_chapter() -> None:
    assert Figures({}, FIGURES, {"draws": "it needs draws"}, {}).chapters() == []
