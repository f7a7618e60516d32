"""The evidence of a study: the students of many runs, with one correction for all comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from kdcli.errors import KdError, Text
from kdcli.evidence.gather import COMPARED, Evidence, gather
from kdcli.evidence.verdicts import UNDECIDED, StudentsMeasured, Versus, decide
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import STUDENTS
from kdcli.runs.made import Made, is_made
from kdcli.runs.student_sets import StudentSet
from kdcli.runs.studies import Study
from kdcli.runs.vary import check_key

BEST_BY = "accuracy"  # on validation examples


@dataclass(frozen=True)
class StudyRow:
    """A student set of a run, with the varied values of the run.

    `treatment` is what the set shares with sets of other runs, such as "soft, T = 4"; `validation` is its
    accuracy on validation examples, None if that is not measured.
    """

    run: str
    varied: Mapping[str, Any]
    treatment: str
    students: StudentsMeasured
    validation: float | None = None

    @property
    def compared(self) -> Sequence[Versus]:
        """The set's comparisons that have a p-value."""
        return [versus for versus in self.students.versus.values() if versus.p_value is not None]


@dataclass(frozen=True)
class StudyEvidence:
    """The evidence of a study: `rows` of the existing runs, with the `keys` that vary.

    `missing` are runs not made yet, `unread` runs that cannot be compared, with the reason. `best` has the
    largest accuracy on validation examples, and is None if the data vary, since all students are good on easy
    data. `bayes` is the exact optimum of each run, where known.
    """

    study: Study
    rows: Sequence[StudyRow]
    missing: Sequence[str]
    unread: Mapping[str, tuple[str, Text]]
    teachers: Mapping[str, float]
    bayes: Mapping[str, float]
    best: StudyRow | None

    @property
    def keys(self) -> list[str]:
        """The keys that vary."""
        return list(self.study.varied)

    @property
    def tests(self) -> int:
        """Number of comparisons that the verdicts are corrected for."""
        return sum(len(row.compared) for row in self.rows)

    @property
    def treatments(self) -> list[str]:
        """The treatments of the students, controls first."""
        ordered = sorted(self.rows, key=lambda row: not row.students.is_control)
        return list(dict.fromkeys(row.treatment for row in ordered))

    def verdicts(self, metric: str, verdict: str) -> list[StudyRow]:
        """Return the rows with a verdict on a metric, the largest difference first."""
        shown = [
            row
            for row in self.rows
            if metric in row.students.versus and row.students.versus[metric].verdict == verdict
        ]
        return sorted(shown, key=lambda row: -abs(row.students.versus[metric].gain))


@dataclass(frozen=True)
class ByValue:
    """The average effect of a treatment over the runs with one value of a key.

    The interval is as wide as if the errors of all runs were the same, since runs may share data.
    """

    value: Any
    treatment: str
    runs: int
    accuracy: float
    gain: float | None
    interval: tuple[float, float] | None
    better: int
    worse: int


def gather_study(study: Study) -> StudyEvidence:
    """Measure the students of all runs that are made; raises `KdError` if none can be compared."""
    rows: list[StudyRow] = []
    missing, unread, teachers, bayes = [], {}, {}, {}
    for planned in study.runs:
        run = study.folder.run(planned.name)
        if not run.recipe_path.is_file():
            missing.append(planned.name)
            continue
        if not is_made(run, planned.recipe):
            unread[planned.name] = ("it differs from its plan", study.anew(run))
            continue
        try:
            evidence = gather(Experiment.open(run))
            rows += _rows(planned.name, planned.varied, evidence, Made.of(run))
        except KdError as error:
            unread[planned.name] = (error.message, error.hint)
            continue
        if evidence.teacher:
            teachers[planned.name] = evidence.teacher.estimates["accuracy"].mean
        if evidence.description.bayes:
            bayes[planned.name] = evidence.description.bayes.accuracy
    if not rows:
        sweep = study.folder.store.command("sweep", "FILE", study=study.folder.name)
        raise KdError(f"no run of the study {study.folder.name} can be compared", ("make them with ", sweep))
    decided = _decided(_named(rows))
    best = max(decided, key=lambda row: row.validation or 0.0)
    of_data = any(key.startswith("data.") and key != "data.seed" for key in study.varied)
    return StudyEvidence(study, decided, missing, unread, teachers, bayes, None if of_data else best)


def _rows(run: str, varied: Mapping[str, Any], evidence: Evidence, made: Made | None) -> list[StudyRow]:
    """Return the sets that a sweep made in a run, without those added by hand."""
    return [
        StudyRow(
            run,
            varied,
            "",
            replace(students, values={}),  # the values of all runs would take too much memory
            evidence.on_validation(students.name, BEST_BY),
        )
        for students in evidence.students
        if made is None or f"{STUDENTS}/{students.name}" in made.digests
    ]


def _named(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Name the treatment of each set, by the settings that distinguish sets within any one run.

    Settings that only differ between runs belong to the varied keys.
    """
    runs: dict[str, list[StudentSet]] = {}
    for row in rows:
        runs.setdefault(row.run, []).append(row.students.set)
    models = any(len({s.model for s in sets}) > 1 for sets in runs.values())
    alike: dict[str, list[list[StudentSet]]] = {}
    for sets in runs.values():
        for target, model in {(s.target, s.model) for s in sets}:
            alike.setdefault(target, []).append([s for s in sets if (s.target, s.model) == (target, model)])

    def name(row: StudyRow) -> str:
        own = row.students.set
        groups = alike[own.target]
        parts = [own.target]
        if any(len({s.temperature for s in group}) > 1 for group in groups):
            parts.append(f"T = {own.temperature:g}")
        elif any(len(group) > 1 for group in groups):
            parts = [row.students.title]
        return ", ".join(parts) + (f" ({own.model})" if models else "")

    return [replace(row, treatment=name(row)) for row in rows]


def _decided(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Decide the verdicts again, corrected for the comparisons of all runs together."""
    comparisons = {
        (k, metric): replace(
            versus, adjusted=None, verdict=None if versus.p_value is not None else versus.verdict
        )
        for k, row in enumerate(rows)
        for metric, versus in row.students.versus.items()
        if metric in COMPARED
    }
    own: list[dict[str, Versus]] = [{} for _ in rows]
    for (k, metric), versus in decide(comparisons).items():
        own[k][metric] = versus
    return [
        replace(row, students=replace(row.students, versus=versus))
        for row, versus in zip(rows, own, strict=True)
    ]


def by_value(evidence: StudyEvidence, key: str, metric: str = "accuracy") -> list[ByValue]:
    """Return each treatment's average effect by value of a key; raises `UsageError` if it does not vary."""
    key = check_key(key, evidence.keys)
    values = evidence.study.varied[key]
    found = []
    for treatment in evidence.treatments:
        for value in values:
            rows = [r for r in evidence.rows if r.treatment == treatment and r.varied.get(key) == value]
            if rows:
                found.append(_averaged(rows, value, treatment, metric))
    return found


def _averaged(rows: Sequence[StudyRow], value: Any, treatment: str, metric: str) -> ByValue:
    versus = [row.students.versus[metric] for row in rows if metric in row.students.versus]
    known = [(v.gain, v.gain_interval) for v in versus if v.gain_interval]
    gain = interval = None
    if known:
        gain = fmean(gain for gain, _ in known)
        lows, highs = zip(*(ends for _, ends in known if ends), strict=True)
        interval = (fmean(lows), fmean(highs))
    verdicts = [v.verdict for v in versus]
    return ByValue(
        value,
        treatment,
        len(rows),
        fmean(row.students.estimates["accuracy"].mean for row in rows),
        gain,
        interval,
        verdicts.count("better"),
        verdicts.count("worse"),
    )


def undecided(evidence: StudyEvidence, metric: str) -> int:
    """Return the number of inconclusive comparisons on a metric."""
    return len(evidence.verdicts(metric, UNDECIDED))
