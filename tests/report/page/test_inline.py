import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from kdcli.figures.canvas import abreast
from kdcli.report.figure_files import INLINE, render
from kdcli.report.page.inline import SVG, inlined


@pytest.fixture
def svg() -> bytes:
    figure, axes = abreast(2, title="Soft labels <help> & \u202emore", caption="caption")
    for ax in axes:
        ax.plot([0, 1, 2], [0.123456789, 0.5, 2], marker="o", label="line")
        ax.imshow([[0, 1], [1, 0]])
        ax.set(xlabel="epochs", ylabel="loss (nats)")
    return render(figure, INLINE)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 kd drew it


def test_two_figures_share_no_id_and_find_what_they_refer_to(svg: bytes) -> None:
    first, second = inlined(svg, "first"), inlined(svg, "second")
    ids = [re.findall(r'\bid="([^"]+)"', text) for text in (first, second)]
    assert all(len(set(of_figure)) == len(of_figure) > 0 for of_figure in ids)
    assert not {*ids[0]} & {*ids[1]}
    for text, of_figure in zip((first, second), ids, strict=True):
        references = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert references
        assert {*references} <= {*of_figure}


def test_it_is_a_picture_with_its_title_as_alternative_text(svg: bytes) -> None:
    root = parsed(inlined(svg, "curves"))
    assert (root.tag, root.get("role")) == (f"{{{SVG}}}svg", "img")
    title = root.find(f"{{{SVG}}}title")
    assert title is not None
    assert title.get("id") == root.get("aria-labelledby") == "curves-title"
    assert title.text is not None
    assert title.text.startswith("Soft labels <help> & [U+202E]more. 2 panels of loss (nats) against epochs")


def test_it_is_shorter_and_draws_the_same(svg: bytes) -> None:
    text = inlined(svg, "curves")
    assert len(text) < 0.9 * len(svg)
    assert "metadata" not in text
    before, after = parsed(svg.decode()), parsed(text)
    assert [e.tag for e in after.iter()] == [
        e.tag for e in before.iter() if e.tag.startswith(f"{{{SVG}}}") and not e.tag.endswith("}metadata")
    ]
    letter = re.compile("[A-Za-z]")
    for old, new in zip(before.iter(f"{{{SVG}}}path"), after.iter(f"{{{SVG}}}path"), strict=True):
        assert letter.findall(old.get("d", "")) == letter.findall(new.get("d", ""))
        numbers = [list(map(float, re.findall(r"-?[\d.]+", path.get("d", "")))) for path in (old, new)]
        assert numbers[1] == pytest.approx(numbers[0], abs=0.01)


def test_colours_that_look_like_references_stay() -> None:
    figure = Figure()
    figure.add_subplot().plot([0, 1], color="#abcdef")
    assert "#abcdef" in inlined(render(figure, INLINE), "figure")


def test_it_is_no_wider_than_it_was_drawn(svg: bytes) -> None:
    root, drawn = parsed(inlined(svg, "curves")), parsed(svg.decode())
    assert root.get("width") is None
    assert root.get("height") is None
    assert root.get("style") == f"max-width: {drawn.get('width')}"
