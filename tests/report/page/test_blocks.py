import pytest

from kdcli.report.page.blocks import Chapter, Figure


def test_a_figure_has_a_title_in_words() -> None:
    assert Figure("learning-curves", b"", "caption").title == "Learning curves"


@pytest.mark.parametrize(
    ("title", "anchor"), [("Finding", "finding"), ("How to reproduce it", "how-to-reproduce-it")]
)
def test_a_chapter_can_be_linked_to(title: str, anchor: str) -> None:
    assert Chapter(title, []).anchor == anchor
