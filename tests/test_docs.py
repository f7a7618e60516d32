"""The README and the pages in `docs/` tell the truth: a test follows each as a reader does."""

import re
from pathlib import Path

import pytest
import reference
from following import Reader, told
from harness import Kd
from pages import (
    LANGUAGES,
    NOT_RUN,
    PAGES,
    REFERENCE,
    ROOT,
    SMALLER,
    TO_THE_LETTER,
    blocks,
    commands,
    followed,
    how,
    words_of,
)

ANYWHERE = [command for page in PAGES for command in commands(page)]


@pytest.mark.parametrize("page", followed())
def test_a_reader_can_follow(page: str, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    Reader(kd, monkeypatch, quick=True).follow(page, PAGES[page])


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in followed() if page.startswith(TO_THE_LETTER)])
def test_a_reader_can_follow_to_the_letter(page: str, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(kd, monkeypatch, quick=False)
    reader.follow(page, PAGES[page])
    printed = told(reader.printed)
    shown = {f"{page}:{block.line}": told(block.text) for block in blocks(page) if block.language == "text"}
    assert {place: words - printed for place, words in shown.items() if not words <= printed} == {}


def test_no_exception_outlives_its_command() -> None:
    assert {*SMALLER, *NOT_RUN} <= set(ANYWHERE)


def test_the_list_says_how_each_command_is_tested() -> None:
    for page in PAGES:
        for command in commands(page):
            assert how(page, command)


@pytest.mark.parametrize("command", sorted({line for line in ANYWHERE if line.startswith("kd ")}))
def test_options_exist(kd: Kd, command: str) -> None:
    _, name, *words = words_of(command)
    help_text = kd(name, "--help").out
    for option in (word for word in words if word.startswith("--")):
        assert option in help_text


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    first, *others = [block.language for block in blocks(page)] or ["text"]
    assert first in (("",) if page == "README.md" else LANGUAGES)
    assert set(others) <= set(LANGUAGES)
    for block in blocks(page):
        if block.language == "text":
            assert not re.search(r"^(\$ )?kd ", block.text, flags=re.MULTILINE), block.text


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(file: Path) -> set[str]:
    """Return the names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_short(page: str) -> None:
    lines = [line for line in PAGES[page].splitlines() if not line.startswith(("|", "!["))]
    assert page.startswith(REFERENCE) or [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_reference_is_in_step_with_the_code(page: str) -> None:
    assert PAGES.get(page) == reference.made(page), f"run `{reference.RENEW}`"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page in ("README.md", "docs/README.md") or f"({page.removeprefix('docs/')})" in index
