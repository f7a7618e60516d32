"""Words for shell completion: names of runs, of student sets and of models."""

from contextlib import suppress
from pathlib import Path

from kdcli.errors import KdError
from kdcli.models import FAMILIES
from kdcli.store import Store


def run_names(store: Store, _run: str | None) -> list[str]:
    """Return the names of all runs of a store, and of its studies."""
    return [*store.runs(), *store.studies()]


def student_set_names(store: Store, run: str | None) -> list[str]:
    """Return the names of a run's student sets; raises `KdError` if there is no such run."""
    return [student_set.path.name for student_set in store.existing_run(run).artefacts("students")]


def trained_models(store: Store, run: str | None) -> list[str]:
    """Return the models of a run's student sets; raises `KdError` if there is no such run."""
    student_sets = [s for s in store.existing_run(run).artefacts("students") if s.finished]
    return list(dict.fromkeys(student_set.meta().config["model"] for student_set in student_sets))


def trained_and_example_models(store: Store, run: str | None) -> list[str]:
    """Return the models of a run's student sets, if it can be read, and an example of each family."""
    models: list[str] = []
    with suppress(KdError):
        models = trained_models(store, run)
    return list(dict.fromkeys([*models, *(family.EXAMPLE for family in FAMILIES.values())]))


def recipe_files(_store: Store, _run: str | None) -> list[str]:
    """Return the TOML files of the working folder."""
    return sorted(str(path) for path in Path().glob("*.toml"))
