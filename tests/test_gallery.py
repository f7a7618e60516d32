"""`docs/gallery.md` and its pictures are those that `benchmarks/gallery.py` makes."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from kdcli.figures import FIGURES, STUDY_FIGURES
from kdcli.figures.canvas import described

ROOT = Path(__file__).parent.parent
PAGE, PICTURES = ROOT / "docs/gallery.md", ROOT / "docs/gallery"
NAMES = [*FIGURES, *STUDY_FIGURES]
MOST_BYTES = 1_500_000  # of all pictures


@pytest.fixture
def gallery() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks/gallery.py"))


def axes_of(description: str) -> str:
    """The part of a description that does not depend on the results: what the panels show."""
    return description[re.search(r"\d+ panels? of ", description).start() :]


def test_the_page_is_what_its_pictures_and_the_code_make_it(gallery: dict[str, Any]) -> None:
    descriptions = {name: gallery["description"](PICTURES / f"{name}.png") for name in NAMES}
    assert PAGE.read_text(encoding="utf-8") == gallery["page"](descriptions)


def test_every_kind_of_figure_has_a_picture_and_the_other_way_round() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == NAMES
    assert re.findall(r"\]\(gallery/(.+)\.png\)$", text, flags=re.MULTILINE) == NAMES
    pictures = list(PICTURES.iterdir())
    assert {picture.name for picture in pictures} == {f"{name}.png" for name in NAMES}
    assert sum(picture.stat().st_size for picture in pictures) < MOST_BYTES


def test_what_to_look_for_is_on_the_page() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for kind in (*FIGURES.values(), *STUDY_FIGURES.values()):
        assert kind.see in text


@pytest.mark.long
@pytest.mark.letter
def test_pictures_have_the_axes_that_are_drawn_now(gallery: dict[str, Any], tmp_path: Path) -> None:
    gallery["make_runs"](tmp_path)
    drawn = {name: described(figure) for name, figure in gallery["figures_of"](tmp_path)}
    assert set(drawn) == set(NAMES)
    for name, now in drawn.items():
        before = gallery["description"](PICTURES / f"{name}.png")
        assert axes_of(now) == axes_of(before), "benchmarks/gallery.py makes the pictures anew"
