"""The pages of the documentation, as a reader follows them: blocks, commands, and how each is tested.

`python tests/pages.py` prints every command of every page with how it is tested.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
GENERATED = "docs/reference/"
LANGUAGES = ("sh", "python", "toml", "text")
GATE = PAGES["README.md"].split("```")[1].strip().splitlines()  # the block without a language


@dataclass(frozen=True)
class Instead:
    """What is done with a command that no test can run as a page has it: why, and what tests it instead."""

    reason: str
    tested_by: str


# Commands that take long, and what a quick test runs in their place. A long test runs them as they are.
SMALLER: Mapping[str, str] = {}

# Commands that take too long for any test, and what all tests run in their place.
ALWAYS_SMALLER: Mapping[str, str] = {}

# Commands that no test runs from the page.
NOT_RUN: Mapping[str, Instead] = {
    GATE[0]: Instead("installs packages", "the gate, line by line: .ci/run"),
    GATE[1]: Instead("runs this very test", "the gate, line by line: .ci/run"),
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line of the page on which it starts."""

    page: str
    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The name of the file that the block is, if its first line is a comment with nothing but a name."""
        named = re.match(r"(?:#!.*\n)?# (\S+\.\w+)\n", self.text)
        return named[1] if named and self.language != "text" else ""

    @property
    def commands(self) -> list[str]:
        """The command lines of a block of commands, without comments."""
        if self.language not in ("sh", "") or self.file:
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := without_comment(line))]


def without_comment(line: str) -> str:
    """Return a command line without the comment behind it."""
    return re.sub(r"(^|\s+)#.*$", "", line).strip()


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, from the top."""
    text = PAGES[page]
    for found in re.finditer(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, flags=re.MULTILINE):
        yield Block(page, found[1].strip(), found[2], text.count("\n", 0, found.start()) + 1)


def commands(page: str) -> list[str]:
    """Return the command lines of a page, from the top."""
    return [command for block in blocks(page) for command in block.commands]


def followed() -> list[str]:
    """Return the pages that have something to run."""
    return [page for page in PAGES if any(block.language != "text" for block in blocks(page))]


def long_pages() -> list[str]:
    """Return the pages with commands that only a long test runs as they are."""
    return [page for page in followed() if SMALLER.keys() & set(commands(page))]


def words_of(command: str) -> list[str]:
    """Split a command line into words, as a shell does."""
    return shlex.split(command)


def how(command: str) -> str:
    """Say in a line how a command is tested."""
    if command in NOT_RUN:
        instead = NOT_RUN[command]
        return f"not run from the page, since it {instead.reason}; tested by {instead.tested_by}"
    if command in ALWAYS_SMALLER:
        return f"run smaller: `{ALWAYS_SMALLER[command]}`"
    if command in SMALLER:
        return f"run as written by a long test, and smaller by a quick one: `{SMALLER[command]}`"
    return "run as written"


def main() -> None:
    """Print every command of every page, and how it is tested."""
    for page in PAGES:
        listed = commands(page)
        if listed and not page.startswith(GENERATED):
            print(f"\n{page}")
            for command in listed:
                print(f"  {command}\n      {how(command)}")


if __name__ == "__main__":
    main()
