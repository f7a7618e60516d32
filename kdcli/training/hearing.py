"""The progress of training a stack, from the messages of its parts in other processes."""

from collections.abc import Sequence
from typing import Any

from kdcli.progress import Report


class Hearing:
    """Reports the progress of a whole stack from the messages of its parts."""

    def __init__(self, report: Report, sizes: Sequence[int]) -> None:
        self.report = report
        self.sizes = sizes
        self.at: list[tuple[int, float | None]] = [(0, None)] * len(sizes)
        self.resumed = False

    def __call__(self, part: int, value: Any) -> None:
        """Handle a message of a part."""
        kind, *content = value
        if kind == "resumed":
            if not self.resumed:  # the other parts resume at about the same epoch
                self.report.resumed(*content)
            self.resumed = True
            return
        self.at[part] = (content[0], content[1])
        done = sum(done * size for (done, _), size in zip(self.at, self.sizes, strict=True))
        losses = [loss for _, loss in self.at if loss is not None]
        self.report(done // sum(self.sizes), sum(losses) / len(losses) if losses else None)
