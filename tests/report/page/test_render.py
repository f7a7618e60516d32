import base64
import hashlib
import re
from collections.abc import Sequence

import pytest

from kdcli.errors import Command
from kdcli.glossary import find
from kdcli.report.page.blocks import Block, Bullets, Chapter, Code, Facts, Fold, Page, Paragraph
from kdcli.report.page.render import ABREAST, FOLDED, LONG, policy, render, sort_key
from kdcli.report.table import Cell, Column, Row, Section, Table


def page(*blocks: Block) -> str:
    """A page with a single chapter of these blocks."""
    return render(Page("title", "subtitle", [Chapter("Chapter", blocks)]))


def table(rows: int = 2, titles: Sequence[str] = ("a", "b"), **options: object) -> Table:
    """A table with this number of rows and these columns."""
    made = [Row(Cell(f"row {k}"), [Cell(k + 0.5, "%") for _ in titles]) for k in range(rows)]
    return Table(list(map(Column, titles)), [Section(made)], "heading", **options)  # type: ignore[arg-type]


def test_all_text_is_escaped() -> None:
    nasty = "</script><b>&\"'"
    written = page(
        Paragraph(nasty),
        Bullets([nasty], nasty),
        Facts([(nasty, nasty)]),
        Code(nasty),
        Fold(nasty, [Paragraph(nasty)]),
        table(titles=[nasty]),
    )
    assert "<b>" not in written
    assert written.count("</script>") == 1
    assert written.count("&lt;/script&gt;&lt;b&gt;&amp;&#34;&#39;") >= 9


def test_the_only_script_is_the_one_that_the_policy_knows() -> None:
    written = page(Paragraph("text"))
    (script,) = re.findall(r"<script>(.*?)</script>", written, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in written
    assert "default-src &#39;none&#39;" in written
    assert "unsafe" not in policy("").partition("script-src")[2].partition(";")[0]
    assert not re.search(r'(src|href)="(?!#|data:)', written)


def test_commands_are_code() -> None:
    written = page(Paragraph(("run ", Command("compare", options={"full": True}), " now")))
    assert "run <code>kd compare --full</code> now" in written


def test_the_first_of_each_word_in_a_chapter_links_to_its_paragraph() -> None:
    chapters = [Chapter(name, [Paragraph("The temperature, and the temperature.")]) for name in "ab"]
    written = render(Page("title", "", chapters))
    link = '<a class="word" href="#word-temperature">temperature</a>'
    assert written.count(f"The {link}, and the temperature.") == 2
    assert written.count('<dt id="word-temperature">') == 1
    assert find("temperature").paragraphs[0].split("`")[0].strip() in written
    assert "word-munge" not in written


def test_a_page_without_words_has_no_chapter_of_them() -> None:
    assert 'id="words"' not in page(Paragraph("Nothing."))


@pytest.mark.parametrize(
    ("rows", "opening"), [(LONG, None), (LONG + 1, "<details open>"), (FOLDED + 1, "<details>")]
)
def test_long_tables_fold(rows: int, opening: str | None) -> None:
    written = page(table(rows))
    assert ("<details" in written) == (opening is not None)
    assert opening is None or opening in written
    assert f"heading ({rows} rows)" in written or opening is None
    assert written.count('<tr role="row">') == rows + 1


def test_wide_tables_are_in_parts_of_like_size_if_they_may_be() -> None:
    titles = [f"c{k}" for k in range(ABREAST + 2)]
    _, *parts = page(table(titles=titles, splits=True)).split("<table")
    assert [re.findall("<span>(c[0-9]+)", part) for part in parts] == [titles[:4], titles[4:]]
    assert page(table(titles=titles)).count("<table") == 1


def test_a_cell_has_its_title_for_lists_and_its_value_for_sorting() -> None:
    written = page(table(1, ["two\nlines", "hyphe-\nnated"]))
    assert '<td role="cell" data-title="two lines" data-value="0.5">' in written
    assert 'data-title="hyphe-nated"' in written
    assert sort_key(Cell(float("inf"))) == "inf"
    assert sort_key(Cell("text")) == "text"


def test_long_words_in_the_head_of_a_column_can_be_broken() -> None:
    written = page(table(titles=["a" * 40, "a few short words"]))
    assert f"<span>{'a' * 16}<wbr>{'a'}" in written
    assert "<span>a few short words</span>" in written
