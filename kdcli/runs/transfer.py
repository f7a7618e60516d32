"""Transfer sets: the examples that students are taught on, written such as "train:500+munge:5".

train       the training split, or a stratified part of it: `train:500`
rest        the other training examples, without their labels
duplicate   copies of the examples of `train`, so many of each: the control for new examples
munge       synthetic rows, so many for each row, made from it and its nearest neighbour (tables)
pool        other rows, or images of a folder, without labels: `pool:unlabelled.csv`

The teacher labels the examples without labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kdcli.errors import UsageError, nearest
from kdcli.store import fitting

TRAIN, REST, DUPLICATE, MUNGE, POOL = "train", "rest", "duplicate", "munge", "pool"
KINDS = (TRAIN, REST, POOL, MUNGE, DUPLICATE)  # in the order of the examples in a set
MOST = MappingProxyType({TRAIN: 10**9, DUPLICATE: 1000, MUNGE: 1000})  # largest number after each kind
WRITTEN = "write it as train, train:N, rest, pool:FILE, munge:K or duplicate:K, joined by + (no path has a +)"


@dataclass(frozen=True)
class Part:
    """One kind of examples in a transfer set, with the argument after the colon."""

    kind: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @property
    def number(self) -> int:
        """The number after the colon; 0 if there is none."""
        return int(self.argument or 0)

    @property
    def is_made(self) -> bool:
        """Whether its examples come from outside the run's data, and are stored as an artefact."""
        return self.kind in (MUNGE, POOL)

    @property
    def slug(self) -> str:
        """The part in a folder name; for a pool with a digest of its path, since file names may repeat."""
        if self.kind == TRAIN:
            return f"n{self.argument}"
        if self.kind == POOL:
            digest = hashlib.sha256(self.argument.encode("utf-8", "surrogateescape")).hexdigest()
            return f"{POOL}-{_plain(Path(self.argument).stem)}-{digest[:6]}"
        return f"{self.kind}{self.argument}"


@dataclass(frozen=True)
class Transfer:
    """A transfer set: `size` training examples (0 is all), and `more` parts of other kinds."""

    size: int = 0
    more: tuple[Part, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Transfer:
        """Read a transfer set such as "train:500+munge:5"; raises `UsageError` saying what is wrong."""
        first, *more = [_part(part) for part in text.split("+")]
        if first.kind != TRAIN:
            raise UsageError(f"a transfer set begins with train, not '{first}'", WRITTEN)
        if twice := [
            part for k, part in enumerate(more) if part.kind in {TRAIN, *(p.kind for p in more[:k])}
        ]:
            raise UsageError(f"'{text}' has {twice[0].kind} twice", WRITTEN)
        if not first.number and Part(REST) in more:
            raise UsageError(
                f"'{text}' leaves no other training examples", "write train:500+rest, for example"
            )
        return cls(first.number, tuple(sorted(more, key=lambda part: KINDS.index(part.kind))))

    def __str__(self) -> str:
        first = Part(TRAIN, str(self.size or ""))
        return "+".join(map(str, (first, *self.more)))

    @property
    def made(self) -> Mapping[str, Part]:
        """The parts that are stored as artefacts, by the artefacts' names."""
        base = f"n{self.size}-" if self.size else ""
        names = {part: part.slug if part.kind == POOL else base + part.slug for part in self.more}
        return {f"transfer/{fitting(name)}": part for part, name in names.items() if part.is_made}

    @property
    def asks(self) -> bool:
        """Whether the teacher labels some of its examples."""
        return any(part.kind != DUPLICATE for part in self.more)

    @property
    def alike(self) -> Transfer:
        """The part that paired sets must share; new rows count like copies, which cost as many steps."""
        copies = sum(part.number for part in self.more if part.kind in (DUPLICATE, MUNGE))
        others = tuple(part for part in self.more if part.kind not in (DUPLICATE, MUNGE))
        return replace(self, more=(*others, Part(DUPLICATE, str(copies))) if copies else others)

    def named(self, equals: str) -> str:
        """Write the transfer set for a folder name, or for a title if `equals` is " = "."""
        if equals:
            size = f"n{equals}{self.size}" if self.size else "all"
            more = [f"pool:{Path(p.argument).name}" if p.kind == POOL else str(p) for p in self.more]
            return " + ".join([size, *more])
        first = [Part(TRAIN, str(self.size)).slug] if self.size else []
        return "-".join([*first, *(part.slug for part in self.more)])


def check(text: str) -> None:
    """Raise `UsageError` unless a text is a transfer set."""
    Transfer.parse(text)


def resolved(text: str) -> str:
    """Return a transfer set as records spell it, with absolute paths."""
    transfer = Transfer.parse(text)
    more = tuple(
        replace(p, argument=str(Path(p.argument).absolute())) if p.kind == POOL else p for p in transfer.more
    )
    return str(replace(transfer, more=more))


def named(value: Any, equals: str) -> str:
    """Write a transfer set as `Transfer.named` does."""
    return Transfer.parse(value).named(equals)


def alike(value: Any) -> Transfer:
    """Return the part of a transfer set that paired sets must share."""
    return Transfer.parse(value).alike


def _part(text: str) -> Part:
    kind, colon, argument = text.strip().partition(":")
    if kind not in KINDS:
        raise UsageError(f"no part of a transfer set is called '{kind}'{nearest(kind, KINDS)}", WRITTEN)
    if kind == POOL:
        if not argument:
            raise UsageError("pool needs a file", WRITTEN)
        return Part(kind, argument)
    if kind == REST or (kind == TRAIN and not colon):
        if colon:
            raise UsageError(f"'{text}': rest takes no argument", WRITTEN)
        return Part(kind)
    most = MOST[kind]
    digits = argument.isascii() and argument.isdigit() and len(argument) <= 10
    if not (digits and 1 <= int(argument) <= most):
        shown = f"'{argument}'" if argument else "nothing"
        raise UsageError(f"{kind} takes a whole number from 1 to {most:,}, not {shown}", WRITTEN)
    return Part(kind, str(int(argument)))


def _plain(text: str) -> str:
    """Write a text with only the characters that folder names may have."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "file"
