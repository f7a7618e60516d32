"""The commands that train what a comparison lacks, as data."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kdcli.data.owned import Owned
from kdcli.errors import Command, KdError
from kdcli.evidence.verdicts import StudentsMeasured
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.records import FOLDS
from kdcli.runs.student_sets import CONTROL, StudentSet
from kdcli.store import fitting
from kdcli.teachers.memory import Memory, memory_of

DRAWS = 10  # recommended number of draws


@dataclass(frozen=True)
class Remembers:
    """A teacher that is much more certain on its training rows than on others.

    The command trains the same teacher with folds; None if it was, or if kd did not train it.
    """

    memory: Memory
    in_folds: Command | None


def training(experiment: Experiment, *sets: StudentSet, folder: str = "") -> Command:
    """Return the command that trains the students of these sets of one model; a single set in this `folder`.

    If the run's recipe cannot be read, the defaults that it gives the command are unknown, and only the
    targets are named.
    """
    options: dict[str, Any] = {"targets": tuple(dict.fromkeys(wanted.target for wanted in sets))}
    with suppress(KdError):
        recipe = experiment.recipe
        for wanted in sets:
            for key, value in wanted.making(recipe, folder or wanted.name).items():
                several = (*options.get(key, ()), *value) if isinstance(value, tuple) else None
                options[key] = tuple(dict.fromkeys(several)) if several else value
    return experiment.run.command("distill", **options)


def remembers(experiment: Experiment) -> Remembers | None:
    """Return how much a run's teacher has memorised, and the command that helps; None if it is nothing."""
    teacher = experiment.teacher
    memory = memory_of(teacher)
    folded = experiment.teacher_source or teacher.record.folds > 1
    in_folds = None if folded else teacher.command.adding(folds=FOLDS, force=True)
    return Remembers(memory, in_folds) if memory.tells else None


def several_draws(experiment: Experiment) -> Command | None:
    """Return the command that runs a run's recipe on several draws, in another run.

    None if the user's own data fix the rows of each split, so that all draws would have the same.
    """
    run, config = experiment.run, experiment.data.record.config
    if isinstance(config, Owned) and config.fixes_rows:
        return None
    source = "FOLDER" if experiment.data.record.own_files else ""
    options = {"source": source, "from": experiment.teacher_source, "draws": DRAWS}
    name = fitting(f"{run.name.replace('/', '-')}-{DRAWS}-draws")
    return run.store.command("run", str(run.recipe_path), **options, run=name)


def control_of(experiment: Experiment, students: StudentsMeasured, control: str) -> Command | None:
    """Return the command that trains a control for a set, if the control is trained on labels."""
    if control != CONTROL:
        return None
    wanted = students.set.taught_instead(CONTROL).with_seeds(len(students.set.seeds_asked))
    stored = experiment.stored(f"{STUDENTS}/{wanted.name}")
    more_seeds = (
        stored
        and stored.record.with_seeds(len(wanted.seeds)) == wanted
        and stored.record.scored < wanted.scored
    )
    free = more_seeds or not stored
    return training(experiment, wanted, folder="" if free else f"{wanted.name}-for-{students.name}")
