"""`kd sweep --merge`: collect the runs of a study from the folders of several machines."""

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

NAMED = 5  # missing runs that a message names


@dataclass(frozen=True)
class Merged:
    """The result of `kd sweep --merge`: the number of collected runs, and the runs that no part has."""

    study: Study
    taken: int
    missing: Sequence[str]

    def told(self) -> Iterator[Told]:
        """Return how many runs were collected, and which are missing."""
        folder, total = self.study.folder, len(self.study.runs)
        present = f"{total - len(self.missing):,} of {total:,} are present"
        yield f"study {folder.name}: collected {counted(self.taken, 'run')}, {present}"
        if self.missing:
            named = ", ".join(self.missing[:NAMED]) + (", …" if len(self.missing) > NAMED else "")
            yield Line(f"! missing from all parts: {named}", wrap=True)
        else:
            yield Line((folder.store.command("compare", folder.name), " compares them."))
        yield f"in {place(folder.path)}"

    def document(self) -> dict[str, Any]:
        """Return the counts and the missing runs."""
        folder = self.study.folder
        return {
            "study": folder.name,
            "path": folder.path,
            "runs": len(self.study.runs),
            "taken": self.taken,
            "missing": list(self.missing),
        }


def merge(study: Study, parts: Sequence[str]) -> Merged:
    """Copy the runs of a study that other outputs folders have and this one lacks.

    Raises `KdError` if a part has another plan, was made with other versions or instructions than the others,
    or is damaged; nothing is copied then.
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
        raise KdError(f"{path} has no study {folder.name}", "name outputs folders with --merge")
    other = Study.open(folder)
    if other.digest != study.digest or other.reproducible != study.reproducible:
        raise KdError(f"the study in {folder.path} has another plan", "all parts need the same sweep file")
    return folder


def _check_machines(study: Study, sources: dict[str, StudyFolder]) -> None:
    """Refuse runs from machines whose results may differ in the last bits."""
    here = [study.folder.run(run.name) for run in study.runs]
    runs = [*here, *(folder.run(name) for name, folder in sources.items())]
    machines = machines_of(made for run in runs if (made := Made.of(run)))
    if len(machines) > 1:
        raise KdError(machines_text(machines), "make all parts with --reproducible portable")


def _check_whole(folder: StudyFolder, name: str) -> None:
    """Refuse a run whose artefacts changed after it was made."""
    run = folder.run(name)
    made = Made.of(run)
    for artefact, digest in (made.digests if made else {}).items():
        condition = verify(run.artefact(artefact))
        if condition.state != "fresh" or (condition.meta and condition.meta.digest != digest):
            told = condition.problems[0] if condition.problems else "it was made again later"
            raise KdError(f"{run.path / artefact} changed after it was made: {told}", "make that part again")


def _take(target: StudyFolder, source: StudyFolder, name: str, keys: Sequence[str]) -> None:
    """Copy a run, and the artefacts that it shares unless the target has them."""
    for key in keys:
        if not (target.shelf(key) / "meta.json").is_file() and (source.shelf(key) / "meta.json").is_file():
            share(source.shelf(key), target.shelf(key))
    run = target.run(name)
    with run.locked():
        unpack(packed(source.run(name).path), run.path)
