"""The record of transfer examples that are stored as an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from kdcli.runs.recipe import Recipe
from kdcli.runs.records import DIGEST
from kdcli.runs.transfer import POOL, Part, Transfer


@dataclass(frozen=True)
class TransferRecord:
    """The part of a transfer set, and the number of training examples (0 is all) that it was made from.

    `content` is the SHA-256 of the file that the examples were read from, if there is one.
    """

    part: Part
    size: int
    content: str = ""

    parents: ClassVar[tuple[str, ...]] = ("data", "teacher")
    scored: ClassVar[int] = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a record; raises ValueError or `UsageError` for content that no stage would have written."""
        if set(record) != {"transfer", "content"} or not all(isinstance(v, str) for v in record.values()):
            raise ValueError("it names no part of a transfer set")
        transfer, content = Transfer.parse(record["transfer"]), record["content"]
        if len(transfer.more) != 1 or not transfer.more[0].is_made or str(transfer) != record["transfer"]:
            raise ValueError("it names no part of a transfer set that is stored")
        (part,) = transfer.more
        if part.kind == POOL and not (transfer.size == 0 and DIGEST.fullmatch(content)):
            raise ValueError("a pool must have the SHA-256 of its file, and no size")
        if part.kind != POOL and content:
            raise ValueError("only a pool has content")
        return cls(part, transfer.size, content)

    def to_record(self) -> dict[str, Any]:
        """Return the record in the form that `from_record` reads."""
        return {"transfer": str(Transfer(self.size, (self.part,))), "content": self.content}

    def asked(self, recipe: Recipe, folder: str, used: Mapping[str, str]) -> Self | None:
        """Return None: a recipe asks for student sets, which then need these examples."""
        return None

    def settings_of_recipe(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def making(self, recipe: Recipe, folder: str) -> dict[str, Any]:
        """Return the options of a `distill` call that teaches on the examples, and so makes them."""
        return {"transfer": self.to_record()["transfer"]}

    def words(self, folder: str) -> list[str]:
        """Return a description of the examples."""
        return [Transfer(self.size, (self.part,)).named(" = ")]
