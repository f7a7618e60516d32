"""The words of kd: each term with a paragraph that explains it, from `glossary.md`.

The file is Markdown: `# group`, `## term`, a line `Also:` with other spellings, paragraphs, and a line
`See also:` with related terms. It is read when the first term is asked for.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from kdcli.errors import Command, UsageError, nearest

FILE = Path(__file__).with_name("glossary.md")
ALSO, SEE = "Also: ", "See also: "
TARGETS = "Targets"  # the group whose terms may have a temperature, a model and more behind them

# Words that often mean something else, and so are not links when they appear alone.
ORDINARY = """
    batch better beyond bytes chance choose column cost differs distill fold hard kd leaves loss n newer
    older p point points proof random rest run self set size spread test tie train val w worse
"""


@dataclass(frozen=True)
class Term:
    """A term, its other spellings, the paragraphs that explain it, the names of related terms, its group.

    Paragraphs are Markdown, one line each, with nothing but code between backquotes marked.
    """

    name: str
    also: tuple[str, ...]
    paragraphs: tuple[str, ...]
    see: tuple[str, ...]
    group: str

    @property
    def anchor(self) -> str:
        """The anchor for links to the term, such as "temperature-scaling"."""
        return re.sub(r"\W+", "-", _plain(self.name)).strip("-")

    @property
    def names(self) -> tuple[str, ...]:
        """The term and its other spellings."""
        return (self.name, *self.also)


@cache
def terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the file."""
    return tuple(_read(FILE.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[Term]:
    for of_group in re.split(r"^# ", text, flags=re.MULTILINE)[1:]:
        title, *entries = re.split(r"^## ", of_group, flags=re.MULTILINE)
        for entry in entries:
            name, *blocks = (" ".join(block.split()) for block in entry.strip().split("\n\n"))
            also, see = (
                tuple(word for b in blocks if b.startswith(mark) for word in b[len(mark) :].split(", "))
                for mark in (ALSO, SEE)
            )
            paragraphs = tuple(block for block in blocks if not block.startswith((ALSO, SEE)))
            yield Term(name, also, paragraphs, see, title.splitlines()[0])


def find(name: str) -> Term:
    """Return the term of this name, other spelling or plural; case does not matter.

    Names that kd writes with their settings are known as well, such as "soft, T = 4", "NLL (nats)",
    "tree:max_depth=3", "--temperature" or "soft-T4-mlp4". Raises `UsageError` with the nearest name.
    """
    known = _known()
    wanted = _key(name)
    plain = _key(re.split(r",\s| at | with | = |:|\(", name)[0])
    for key in (wanted, plain):
        if key in known:
            return known[key]
    parts = name.split("-")
    for k in range(len(parts) - 1, 0, -1):
        term = known.get(_key("-".join(parts[:k])))
        if term and term.group == TARGETS:
            return term
    names = [name for term in terms() for name in term.names]
    suggested = nearest(name, names) or nearest(name.casefold(), map(str.casefold, names))
    raise UsageError(f"kd has no term '{name}'{suggested}", (Command("explain"), " lists all terms"))


@cache
def _known() -> Mapping[str, Term]:
    """Return the terms by every spelling that `find` accepts."""
    return MappingProxyType(
        {
            _key(form): term
            for forms in (lambda name: [name], _plurals)
            for term in reversed(terms())
            for name in term.names
            for form in forms(name)
        }
    )


def _key(name: str) -> str:
    """Return a key that is equal for spellings that differ only in case, hyphens, spaces or line breaks."""
    return re.sub(r"[\s_,-]+", "", _plain(name)).strip(".")


def _plain(name: str) -> str:
    return name.casefold().replace("²", "2").replace("'", "")


def _plurals(name: str) -> list[str]:
    if not name[-1].isalpha() or len(name) == 1 or re.search("[^s]s$", name):
        return []
    if re.search("[^aeiou]y$", name):
        return [f"{name[:-1]}ies"]
    return [f"{name}es" if re.search("(s|x|ch|sh)$", name) else f"{name}s"]


def linked(text: str, without: Collection[str] = ()) -> list[tuple[str, str | None]]:
    """Split a text into pieces; a piece that names a term for the first time comes with its anchor.

    Together, the pieces are the text. A term must be a whole word, and not part of a hyphenated word, of a
    path or of `code`. Of overlapping terms, the longest counts. The anchors in `without` get no link.
    """
    done, pieces, end = set(without), list[tuple[str, str | None]](), 0
    for match in _pattern().finditer(text):
        term = _known().get(_key(match[0])) if match["name"] else None
        if term is None or term.anchor in done:
            continue
        done.add(term.anchor)
        pieces += [(text[end : match.start()], None), (match[0], term.anchor)]
        end = match.end()
    return [piece for piece in (*pieces, (text[end:], None)) if piece[0]]


@cache
def _pattern() -> re.Pattern[str]:
    """Return a pattern for code and for the name of any term."""
    names = [name for term in terms() for name in term.names if not name.startswith("-")]
    ordinary = set(ORDINARY.split())
    forms = {form for name in names if name.casefold() not in ordinary for form in (name, *_plurals(name))}
    choices = [
        rf"(?-i:{re.escape(form)})" if len(form) == 1 else re.sub(r"(\\[ -])+", r"[\\s-]+", re.escape(form))
        for form in sorted(forms - ordinary, key=len, reverse=True)
    ]
    # A name such as "spread, T = 4" is unambiguous.
    choices += [rf"{term.name}(?=,?\s(at\s)?T\s=)" for term in terms() if term.group == TARGETS]
    return re.compile(
        rf"`[^`]*`|(?<![\w/.:=-])(?P<name>{'|'.join(choices)})(?![\w-]|[/.:=]\w)", re.IGNORECASE
    )
