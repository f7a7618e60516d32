"""`kd sweep --merge`: the runs of a study that several machines made, put together in one folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcli.errors import KdError
from kdcli.report.told import Line, Told
from kdcli.report.words import place
from kdcli.runs.made import Made, is_made, machines_of, unmade
from kdcli.runs.studies import Study, data_key, teacher_key
from kdcli.store import Store, StudyFolder, packed, share, unpack, verify
from kdcli.sweeps.sweep import machines_text
from kdcli.words import counted

NAMED = 5  # runs that are missing


@dataclass(frozen=True)
class Merged:
    """What `kd sweep --merge` put together: so many runs taken, and those that no part has."""

    study: Study
    taken: int
    missing: Sequence[str]

    def told(self) -> Iterator[Told]:
        """Return how many runs were taken, and what is missing."""
        folder, total = self.study.folder, len(self.study.runs)
        there = f"{total - len(self.missing):,} of {total:,} are there"
        yield f"study {folder.name}: took {counted(self.taken, 'run')}, {there}"
        if self.missing:
            named = ", ".join(self.missing[:NAMED]) + (", …" if len(self.missing) > NAMED else "")
            yield Line(f"! no part has {named}", wrap=True)
        else:
            yield Line((folder.store.command("compare", folder.name), " compares them."))
        yield f"in {place(folder.path)}"

    def document(self) -> dict[str, Any]:
        """Return the counts and what is missing."""
        folder = self.study.folder
        return {
            "study": folder.name,
            "path": folder.path,
            "runs": len(self.study.runs),
            "taken": self.taken,
            "missing": list(self.missing),
        }


def merge(study: Study, parts: Sequence[str]) -> Merged:
    """Take the runs of a study that other outputs folders have and this one has not.

    Raises `KdError` where a part is of another plan, was made by other versions or instructions than the
    others, or is damaged; nothing is taken then.
    """
    others = [_opened(Path(part), study) for part in parts]
    study.store()
    missing = unmade(study, study.runs)
    sources = {
        run.name: folder for run in missing for folder in others if is_made(folder.run(run.name), run.recipe)
    }
    _check_machines(study, sources)
    for name, folder in sources.items():
        _check_whole(folder, name)
    for run in missing:
        if run.name in sources:
            keys = (data_key(run.recipe), teacher_key(run.recipe))
            _take(study.folder, sources[run.name], run.name, keys)
    return Merged(study, len(sources), [run.name for run in missing if run.name not in sources])


def _opened(path: Path, study: Study) -> StudyFolder:
    """Return the folder of the same study in another outputs folder."""
    folder = StudyFolder(Store(path), study.folder.name)
    if not folder.is_there:
        raise KdError(f"{path} has no study {folder.name}", "--merge takes outputs folders")
    other = Study.open(folder)
    if other.digest != study.digest or other.reproducible != study.reproducible:
        raise KdError(f"the study in {folder.path} has another plan", "parts are to be of one sweep file")
    return folder


def _check_machines(study: Study, sources: dict[str, StudyFolder]) -> None:
    """Refuse runs whose bits may differ from those of the others for the machine's sake."""
    here = [study.folder.run(run.name) for run in study.runs]
    runs = [*here, *(folder.run(name) for name, folder in sources.items())]
    machines = machines_of(made for run in runs if (made := Made.of(run)))
    if len(machines) > 1:
        raise KdError(machines_text(machines), "make all parts with --reproducible portable")


def _check_whole(folder: StudyFolder, name: str) -> None:
    """Refuse a run whose artefacts are not those that were made."""
    run = folder.run(name)
    made = Made.of(run)
    for artefact, digest in (made.digests if made else {}).items():
        condition = verify(run.artefact(artefact))
        if condition.state != "fresh" or (condition.meta and condition.meta.digest != digest):
            told = condition.problems[0] if condition.problems else "it was made anew since"
            raise KdError(f"{run.path / artefact} is not what was made: {told}", "make that part again")


def _take(target: StudyFolder, source: StudyFolder, name: str, keys: Sequence[str]) -> None:
    """Copy a run, and what it shares unless it is there."""
    for key in keys:
        if not (target.shelf(key) / "meta.json").is_file() and (source.shelf(key) / "meta.json").is_file():
            share(source.shelf(key), target.shelf(key))
    run = target.run(name)
    with run.locked():
        unpack(packed(source.run(name).path), run.path)
