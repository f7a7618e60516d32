"""The README and the pages in `docs/` tell the truth: a test follows each as a reader does."""

import re
import tomllib
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

from kdcli.runs.studies import Study, filled, study_names, sweep_text
from kdcli.runs.vary import planned
from kdcli.store import Store, StudyFolder

SWEEPS = "docs/tasks/sweeps.md"
ANYWHERE = [command for page in PAGES for command in commands(page)]


@pytest.mark.parametrize("page", followed())
def test_a_reader_can_follow(page: str, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    Reader(kd, monkeypatch, quick=True).follow(page, PAGES[page])


@pytest.mark.long
@pytest.mark.letter
@pytest.mark.parametrize("page", [page for page in followed() if page.startswith(TO_THE_LETTER)])
def test_a_reader_can_follow_to_the_letter(page: str, kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(kd, monkeypatch, quick=False)
    reader.follow(page, PAGES[page])
    printed = told(reader.printed)
    shown = {f"{page}:{block.line}": told(block.text) for block in blocks(page) if block.language == "text"}
    assert {place: words - printed for place, words in shown.items() if not words <= printed} == {}


def test_the_readme_shows_what_a_tutorial_shows() -> None:
    (shown,) = [block.text for block in blocks("README.md") if block.language == "text"]
    assert set(shown.splitlines()) <= set(PAGES["docs/tutorials/learn.md"].splitlines())


def test_the_sweep_file_asks_for_as_many_runs_as_it_says() -> None:
    (text,) = [block.text for block in blocks(SWEEPS) if block.language == "toml"]
    count = int(re.findall(r"all combinations of these: (\d+) runs", text)[0])
    assert len(planned(filled(tomllib.loads(text), "page"), "page")) == count == 12


def test_every_study_that_comes_with_kd_is_told_and_has_the_runs_that_it_says(tmp_path: Path) -> None:
    assert study_names() == sorted(re.findall(r"^\| `([\w-]+)` \|", PAGES[SWEEPS], flags=re.MULTILINE))
    for name in study_names():
        said = int(re.findall(r"(\d+) runs", sweep_text(name))[0])
        assert len(Study.planned(StudyFolder(Store(tmp_path), name), name).runs) == said


def test_no_exception_outlives_its_command() -> None:
    assert {*SMALLER, *NOT_RUN} <= set(ANYWHERE)


def test_what_tests_a_command_instead_exists() -> None:
    for instead in NOT_RUN.values():
        (named,) = re.findall(r"(?:docs/|tests/|\.ci/|test_)[\w/-]+(?:\.\w+)?", instead.tested_by)
        assert (ROOT / named).exists() or f"def {named}(" in Path(__file__).read_text(encoding="utf-8")


def test_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {name for page in PAGES.values() for name in re.findall(r"pip install '[\w.]+\[(\w+)\]'", page)}
    assert named == {"dask", "onnx"}
    assert named <= extras["optional-dependencies"].keys()


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
