import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from kdcli.figures import FORMATS, FigureKind
from kdcli.figures.canvas import abreast
from kdcli.report.figure_files import INLINE, drawn, render


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_figure_gives_the_same_bytes(file_format: str) -> None:
    def file() -> bytes:
        figure = Figure()
        figure.add_subplot().plot([0, 1])
        return render(figure, file_format)

    assert file() == file()


def test_an_svg_file_holds_all_that_it_shows_and_no_date() -> None:
    figure = Figure()
    figure.add_subplot().imshow([[0, 1], [1, 0]])
    file = render(figure, "svg").decode()
    references = re.findall(r'(?:href="|url\()(.)', file)
    assert references
    assert set(references) <= {"#", "d"}  # to what is in the file, or "data:"
    assert "data:image/png;base64" in file
    assert set(re.findall(r"<dc:(\w+)", file)) == {"title"}  # a date would be another
    assert not re.search(r"20\d\d-\d\d-\d\d", file)


def test_an_svg_file_says_in_words_what_there_is_to_see() -> None:
    figure, _ = abreast(2, title="Soft labels help", caption="")
    for ax in figure.axes:
        ax.set(xlabel="epochs", ylabel="loss (nats)")
    root = ElementTree.fromstring(render(figure, "svg"))  # noqa: S314
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Soft labels help. 2 panels of loss (nats) against epochs."


def test_text_is_drawn_in_files_and_stays_text_within_a_page() -> None:
    figure, (ax,) = abreast(1, title="Soft labels help", caption="")
    ax.set(xlabel="epochs", ylabel="loss (nats)")
    assert ">epochs<" not in render(figure, "svg").decode()
    assert ">epochs<" in render(figure, INLINE).decode()


@pytest.mark.parametrize("file_format", ["png", "svg", "pdf", INLINE])
def test_characters_that_the_font_lacks_are_no_warning(file_format: str) -> None:
    def draw(view: object) -> Figure:
        return abreast(1, title="class 👩 is best", caption="")[0]

    assert drawn(FigureKind("summary", "see", draw, lambda view: ""), None, file_format)
