"""Student sets, and differences of metrics, as a sentence names them."""

from collections.abc import Sequence

from kdcli.evidence.verdicts import StudentsMeasured
from kdcli.metrics import HUGE, METRICS


def spoken(one: StudentsMeasured) -> str:
    """Name a set within a sentence, such as "soft at T = 8"."""
    return one.title.replace(", T = ", " at T = ", 1).replace(", ", " with ")


def listed(sets: Sequence[StudentsMeasured]) -> str:
    """Name several sets within a sentence."""
    return series(list(dict.fromkeys(map(spoken, sets))))


def series(names: Sequence[str]) -> str:
    """Join names with commas and an "and"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def number(metric: str, value: float) -> str:
    """Write a value or a difference of a metric without its unit."""
    kind = METRICS[metric]
    form = ".2f" if kind.unit == "%" else ".1f" if kind.total else ".4f"
    if abs(value) >= HUGE:
        form = ".1e"
    text = f"{value * (100 if kind.unit == '%' else 1):{form}}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def amount(metric: str, value: float) -> str:
    """Write a difference of a metric with its unit, such as "2.93 points of accuracy"."""
    kind = METRICS[metric]
    unit = {"%": "points of ", "nats": "nats of "}.get(kind.unit, "" if kind.total else "in ")
    return f"{number(metric, value)} {unit}{kind.title}"


def seeds_counted(count: int) -> str:
    """Count seeds within a sentence, such as "2 seeds"."""
    return f"{count or 'no'} seed{'' if count in (0, 1) else 's'}"
