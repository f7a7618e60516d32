"""`kd use`: make a run the current one."""

from dataclasses import dataclass
from pathlib import Path

from kdcli.store import Store, named_run


@dataclass(frozen=True)
class RunUsed:
    """The run that `kd use` made current, and which was; `elsewhere` is another that KD_RUN names here."""

    run: str
    path: Path
    before: str
    elsewhere: str


def use(store: Store, name: str) -> RunUsed:
    """Make a run current; raises `KdError` if it is not there."""
    run = store.existing_run(name)
    before = store.current
    store.make_current(name)
    named = named_run() or name
    return RunUsed(name, run.path, before, "" if named == name else named)
