"""Shell completion of options that are not settings of a recipe.

Each function is given the outputs folder and the name of the run, if one is named.
"""

from kdcli.glossary import terms as all_terms
from kdcli.runs.completion import recipe_files, run_names, student_set_names
from kdcli.runs.recipes import builtin_names
from kdcli.runs.studies import study_names
from kdcli.store import Store
from kdcli.targets import TARGETS


def recipes(store: Store, run: str | None) -> list[str]:
    """Return the recipes that come with kd, and recipe files."""
    return [*builtin_names(), *recipe_files(store, run)]


def runs_and_studies(store: Store, run: str | None) -> list[str]:
    """Return the runs and the studies in the outputs folder."""
    return [*run_names(store, run), *store.studies()]


def studies(store: Store, run: str | None) -> list[str]:
    """Return the studies in the outputs folder."""
    return store.studies()


def sweeps(store: Store, run: str | None) -> list[str]:
    """Return the studies that come with kd, and sweep files."""
    return [*study_names(), *recipe_files(store, run)]


def controls(store: Store, run: str | None) -> list[str]:
    """Return the targets and the run's student sets."""
    return [*TARGETS, *student_set_names(store, run)]


def terms(store: Store, run: str | None) -> list[str]:
    """Return the terms of the glossary, as single words."""
    return [term.anchor for term in all_terms()]
