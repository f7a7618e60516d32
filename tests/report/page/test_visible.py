import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.report.page.visible import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text\nin lines", "plain text\nin lines"),
        ("\u202eturned\u202c", "[U+202E]turned[U+202C]"),
        ("\u2067isolated\u2069", "[U+2067]isolated[U+2069]"),
        ("mark\u200f", "mark[U+200F]"),
        ("nul\0 bell\a", "nul[U+0000] bell[U+0007]"),
        ("half \ud800", "half [U+D800]"),
        ("👩‍🔬 עברית ünï", "👩‍🔬 עברית ünï"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_what_is_shown_can_be_written_and_is_stable(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    plain(text).encode()
