"""`kd explain`: the explanation of a term that kd uses, or the list of all terms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from kdcli.errors import Command
from kdcli.glossary import Term, find, terms
from kdcli.report.told import Line, Told

EXAMPLE = Command("explain", ("temperature",))


@dataclass(frozen=True)
class Explained:
    """A term that is explained."""

    term: Term

    def told(self) -> Iterator[Told]:
        """Return the term with its other spellings, its paragraphs, and related terms."""
        yield Line(self.term.name, emphasis="strong")
        if self.term.also:
            yield Line(f"also: {', '.join(self.term.also)}", wrap=True, emphasis="weak")
        for paragraph in self.term.paragraphs:
            yield ""
            yield Line(paragraph, wrap=True)
        yield ""
        yield Line(f"see also: {', '.join(self.term.see)}", wrap=True)

    def document(self) -> dict[str, Any]:
        """Return the term with its explanation."""
        return term_document(self.term)


@dataclass(frozen=True)
class AllTerms:
    """All terms, by group."""

    groups: Mapping[str, Sequence[Term]]

    def told(self) -> Iterator[Told]:
        """Return the names of the terms, group by group."""
        for group, members in self.groups.items():
            yield Line(group, emphasis="strong")
            yield Line(", ".join(term.name for term in members), wrap=True)
            yield ""
        yield Line((EXAMPLE, " explains a term."), wrap=True)

    def document(self) -> dict[str, Any]:
        """Return every term with its explanation."""
        return {"terms": [term_document(term) for members in self.groups.values() for term in members]}


def term_document(term: Term) -> dict[str, Any]:
    """Return a term as JSON output has it."""
    return {
        "term": term.name,
        "group": term.group,
        "also": term.also,
        "text": "\n\n".join(term.paragraphs),
        "see_also": term.see,
    }


def explain(words: str | None = None) -> Explained | AllTerms:
    """Return the explanation of a term, or the list of all; raises `UsageError` for an unknown term."""
    if words:
        return Explained(find(words))
    return AllTerms({group: list(members) for group, members in groupby(terms(), lambda term: term.group)})
