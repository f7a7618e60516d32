import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdcli.figures.wrapping import BOLD, MEDIUM, SMALL, TITLE, Font, paragraphs, text_width, wrapped

NAMES = st.text("mW .,:=+()-_%7", max_size=60).filter(lambda name: "  " not in name and name == name.strip())


def test_a_text_that_fits_stays_in_one_line() -> None:
    assert wrapped("A short title, run moons", 8.4, TITLE) == "A short title, run moons"
    assert wrapped("", 1) == ""


@pytest.mark.parametrize(("room", "count"), [(3.4, 3), (5.4, 2), (8.4, 2)])
def test_a_long_title_is_broken_into_few_lines_of_about_the_same_length(room: float, count: int) -> None:
    title = "On 34 of 359 test images at least one of 5 student sets disagrees with the teacher, run digits"
    lines = wrapped(title, room, TITLE, sentence=True).split("\n")
    assert " ".join(lines) == title
    assert len(lines) == count
    assert min(map(len, lines)) > 0.6 * max(map(len, lines))


@settings(deadline=None)  # the first example loads the fonts
@given(NAMES, st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([TITLE, MEDIUM, BOLD, SMALL]), st.booleans())
def test_every_line_fits_and_only_spaces_are_lost(name: str, room: float, font: Font, sentence: bool) -> None:
    lines = wrapped(name, room, font, sentence=sentence).split("\n")
    assert all(text_width(line, font) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    pattern = r"\s?".join(re.escape(line) for line in lines)  # a space is lost only where a line ends
    assert re.fullmatch(pattern, name)


def test_lines_that_are_given_stay_apart() -> None:
    assert wrapped("soft, T = 4\nECE 2.00%", 5) == "soft, T = 4\nECE 2.00%"


def test_numbers_stay_with_their_unit_and_their_name() -> None:
    for room in (1.0, 1.2, 1.4, 1.6, 1.8):
        lines = wrapped("highest accuracy 93.31 % at T = 20", room, TITLE).split("\n")
        assert len(lines) > 1
        assert sum("93.31 %" in line for line in lines) == 1
        assert sum("T = 20" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("name", "room", "lines"),
    [
        ("soft, T = 1, n = 400 + munge:3 (mlp:16)", 2.3, ["soft, T = 1,", "n = 400 + munge:3 (mlp:16)"]),
        ("soft, T = 1, labels from = teacher", 1.7, ["soft, T = 1,", "labels from = teacher"]),
        ("n = 400 + munge:3 + rest", 1.4, ["n = 400", "+ munge:3 + rest"]),
        ("tree:min_samples_leaf=10,max_depth=12", 2.0, ["tree:min_samples_leaf=10,", "max_depth=12"]),
        ("min_samples_leaf", 1.0, ["min_", "samples_leaf"]),
        ("mmmmmmmm", 0.6, ["mmmm", "mmmm"]),
    ],
)
def test_names_are_broken_where_their_parts_end(name: str, room: float, lines: list[str]) -> None:
    assert wrapped(name, room).split("\n") == lines


def test_more_lines_are_not_taken_for_the_sake_of_whole_parts() -> None:
    assert wrapped("labels, n = 100 + rest + munge:2", 1.35).count("\n") == 1


def test_bold_and_large_texts_are_wider() -> None:
    small, medium, bold, title = (text_width("soft, T = 4", font) for font in (SMALL, MEDIUM, BOLD, TITLE))
    assert small < medium < bold < title


def test_lines_of_a_paragraph_fit_and_none_is_far_shorter() -> None:
    text = "Bars: 95 % intervals over 4 draws of the data, each with its own teacher and students. T = 4."
    for room in (2.0, 3.0, 4.0, 5.0):
        lines = paragraphs(f"{text}\nDashed: the teacher.", room, SMALL).split("\n")
        assert lines[-1] == "Dashed: the teacher."
        assert " ".join(lines[:-1]) == text
        widths = [text_width(line, SMALL) for line in lines[:-1]]
        assert max(widths) <= room
        assert min(widths) > 0.4 * max(widths)
        assert len(widths) == math.ceil(text_width(text, SMALL) / room)
        assert not any(line.startswith(("%", "=")) for line in lines)
