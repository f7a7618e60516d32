from pathlib import Path

import pytest
from customers import customers
from exporting import NASTY
from harness import Kd
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kdcli.report.card import mark_of, markdown, plain_file


@pytest.fixture
def own(kd: Kd) -> None:
    customers(rows=300)
    assert kd("gen-data", "customers.csv", "--label", "left").code == 0
    assert kd("train-teacher", "--model", "forest:5").code == 0
    assert kd("distill", "--model", "tree:max_depth=2", "--target", "labels,soft", "--seeds", "2").code == 0


def card(kd: Kd, folder: str, *more: str) -> str:
    made = kd("export", folder, *more, "--out", "out/student.py")
    assert made.code == 0, made.err
    return Path("out/MODEL_CARD.md").read_text(encoding="utf-8")


def test_it_says_what_who_does_not_know_it_needs(kd: Kd, own: None) -> None:
    text = card(kd, "soft-T1-tree-depth2", "--seed", "1")
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "How good it is",
        "Calibration",
        "Proof that it says what it says in kd",
        "How to run it",
        "What it takes",
        "Intended use",
        "Where it comes from",
    ]
    assert text.startswith(mark_of("student.py"))
    assert "Its target, **soft, T = 1**, was made by a forest:5 from customers" in text
    assert "Compared with its control, labels-tree-depth2" in text
    assert "| **this student** |" in text
    assert "| teacher |" in text
    assert "spec_from_file_location('student', 'student.py')" in text
    assert "| spent | number |" in text
    assert "| active | yes/no |" in text
    assert "Classes, in their order: no, yes." in text
    assert "seed 1, draw 0" in text
    assert "To be filled in" in text


def test_its_figures_are_those_of_the_student(kd: Kd, own: None) -> None:
    text = card(kd, "soft-T1-tree-depth2")
    row = next(line for line in text.splitlines() if line.startswith("| **this student**"))
    accuracy = float(row.split("|")[2].strip().removesuffix(" %"))
    assert f"it is right in {accuracy:.1f} %" in text


def test_no_row_of_the_data_is_in_what_leaves(kd: Kd, own: None) -> None:
    card(kd, "soft-T1-tree-depth2")
    rows = Path("customers.csv").read_text().splitlines()[1:]
    everything = "".join(path.read_text(encoding="utf-8") for path in Path("out").iterdir())
    assert not [row for row in rows if row.split(",")[0] in everything]


def test_a_control_is_called_one(kd: Kd, own: None) -> None:
    assert "It is a control itself" in card(kd, "labels-tree-depth2")
    assert "was made from customers" in card(kd, "labels-tree-depth2")


def words_of(html: str) -> list[str]:
    """The tags of a page."""
    return [part.split(">")[0] for part in html.split("<")[1:]]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(NASTY))
def test_a_name_is_a_name_in_what_markdown_becomes(name: str) -> None:
    told = markdown(name)
    assert told.isprintable()
    page = MarkdownIt("commonmark").enable("table").render(f"| name |\n|---|\n| a {told} b |\n")
    assert words_of(page) == [
        *("table", "thead", "tr", "th", "/th", "/tr", "/thead"),
        *("tbody", "tr", "td", "/td", "/tr", "/tbody", "/table"),
    ]


def test_names_of_files_that_could_end_a_line_of_code_do_not_stand_in_it() -> None:
    assert plain_file("my model-1.py", ".py") == "my model-1.py"
    assert plain_file("a'b.py", ".py") == plain_file("`a`.py", ".py") == "FILE.py"
    assert mark_of("-->.py") == "<!-- model card of FILE -->"
