"""`kd use`: make a run the current one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.report.told import Told
from kdcli.report.words import place
from kdcli.store import Store, named_run


@dataclass(frozen=True)
class RunUsed:
    """The run that `kd use` made current, and the run `before`; `elsewhere` is another that KD_RUN names."""

    run: str
    path: Path
    before: str
    elsewhere: str

    def told(self) -> Iterator[Told]:
        """Return which run is current, and whether this shell works on another."""
        if self.before == self.run:
            yield f"run {self.run} is already the current run: {place(self.path)}"
        else:
            before = f" instead of {self.before}" if self.before else ""
            yield f"run {self.run} is now the current run{before}: {place(self.path)}"
        if self.elsewhere:
            yield f"but KD_RUN names run {self.elsewhere}: commands in this shell work on that run"

    def document(self) -> dict[str, Any]:
        """Return the run, and which was current."""
        return {"run": self.run, "path": self.path, "before": self.before or None}


def use(store: Store, name: str) -> RunUsed:
    """Make a run current; raises `KdError` if there is no such run."""
    run = store.existing_run(name)
    before = store.current
    store.make_current(name)
    named = named_run() or name
    return RunUsed(name, run.path, before, "" if named == name else named)
