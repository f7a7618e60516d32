"""Candidates: student sets at several temperatures or ε, from which a set with an "auto" setting selects one.

The selection uses the validation split, and is made once for all seeds and draws of a set.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch

from kdcli.models.family import Fitted
from kdcli.runs.stored import Data
from kdcli.runs.student_sets import StudentSet
from kdcli.scored import Scored, nll
from kdcli.targets import AUTO, CANDIDATES


def chooses(student_set: StudentSet) -> bool:
    """Whether the temperature or the ε of a set has yet to be selected."""
    return student_set.given_to_target == AUTO


def candidates_of(sets: Iterable[StudentSet]) -> list[StudentSet]:
    """Return the candidates to train for these sets, each with one value, without duplicates."""
    return list(dict.fromkeys(candidate for student_set in sets for candidate in _candidates(student_set)))


def _candidates(student_set: StudentSet) -> list[StudentSet]:
    if chooses(student_set):
        return [student_set.at(value) for value in CANDIDATES[student_set.taught.setting]]
    chosen = student_set.chosen
    return [student_set.at(chosen) if chosen else student_set]


def chosen(
    sets: Sequence[StudentSet], trained: Iterable[tuple[StudentSet, Fitted]], data: Data
) -> Iterator[tuple[StudentSet, StudentSet, Fitted]]:
    """Yield each of the sets, the same set with its selected value, and its students.

    A set is yielded as soon as all of its candidates are `trained`; the seconds are the sum over candidates.
    """
    waiting, kept = list(sets), dict[StudentSet, Fitted]()
    for candidate, fitted in trained:
        kept[candidate] = fitted
        done = [wanted for wanted in waiting if all(other in kept for other in _candidates(wanted))]
        for wanted in done:
            yield wanted, *_choice(wanted, {other: kept[other] for other in _candidates(wanted)}, data)
        waiting = [wanted for wanted in waiting if wanted not in done]
        needed = candidates_of(waiting)
        kept = {other: kept[other] for other in kept if other in needed}


def _choice(
    wanted: StudentSet, candidates: dict[StudentSet, Fitted], data: Data
) -> tuple[StudentSet, Fitted]:
    if not chooses(wanted):
        (fitted,) = candidates.values()
        return wanted, fitted
    best = min(candidates, key=lambda candidate: _rank(candidates[candidate], data))
    seconds = sum(fitted.seconds for fitted in candidates.values())
    return replace(wanted, chosen=float(best.given_to_target)), replace(candidates[best], seconds=seconds)


def _rank(fitted: Fitted, data: Data) -> tuple[int, float]:
    """Return the sort key of candidates, best first: lost seeds, then the mean NLL of validation labels."""
    lost = sum(map(len, fitted.lost.values()))
    by_draw = enumerate(fitted.logits["val"])
    values = [nll(Scored(logits, data.pool.labels("val", draw))).mean() for draw, logits in by_draw]
    mean = float(torch.stack(values).mean())
    return lost, mean if math.isfinite(mean) else math.inf
