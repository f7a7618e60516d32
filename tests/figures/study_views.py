"""What tests of figures of studies share: views of studies, made from numbers."""

from collections.abc import Mapping, Sequence
from itertools import product

from kdcli.figures.study_view import Key, Place, SetOfRun, StudyRun, StudyView

NOISE = Key("noise", [0.1, 0.2, 0.3], ["0.1", "0.2", "0.3"], "standard deviation")
SIZE = Key("transfer_size", [50, 2000], ["50", "2000"], "examples")
MODELS = Key("models", ["mlp:4", "tree"], ["mlp:4", "tree"])


def level(place: Place) -> float:
    """The accuracy of the control: 0.9, and less by 0.01 for each step of any key."""
    return 0.9 - 0.01 * sum(k or 0 for k in place)


def sets(place: Place, gain: float = 2.0, verdict: str | None = "no difference shown") -> list[SetOfRun]:
    """The control, and soft targets that gain so many points over it."""
    mean = level(place)
    other = mean + gain / 100
    return [
        SetOfRun("labels", {"accuracy": (mean, mean - 0.02, mean + 0.01), "nll": (0.5, 0.4, 0.7)}),
        SetOfRun(
            "soft", {"accuracy": (other, other - 0.01, other + 0.01), "nll": (0.3, 0.2, 0.4)}, gain, verdict
        ),
    ]


def study(
    keys: Sequence[Key] = (NOISE,),
    *,
    gained: Mapping[Place, tuple[float, str | None]] | None = None,
    missing: Sequence[Place] = (),
    by: int | None = None,
) -> StudyView:
    """A study of all combinations of the values of its keys: soft targets gain 2 points unless told."""
    every = product(*(range(len(key.values)) for key in keys))
    places = [place for place in every if place not in missing]
    known = gained or {}
    return StudyView(
        study="demo",
        keys=keys,
        runs=[
            StudyRun(place, sets(place, *known.get(place, (2.0,))), {"teacher": 0.95, "Bayes optimum": 0.97})
            for place in places
        ],
        treatments=["labels", "soft"],
        control_of={"soft": "labels"},
        missing=missing,
        by=by,
    )
