"""Counts, sizes, plurals and lists within a sentence: the one place that writes them."""

from collections.abc import Iterable, Sequence


def counted(count: int, noun: str) -> str:
    """Write how many there are of something: "1 seed", "2,000 test examples", "no seeds"."""
    return f"{f'{count:,}' if count else 'no'} {plural(count, noun)}"


def plural(count: int, noun: str) -> str:
    """Return a noun for use after a count: "seed" after 1, otherwise "seeds"."""
    return noun if count == 1 else f"{noun}s"


def numbered(noun: str, numbers: Iterable[int]) -> str:
    """Name things by their numbers: "seed 2", "seeds 2, 5"."""
    names = list(map(str, numbers))
    return f"{plural(len(names), noun)} {', '.join(names)}"


def named_seed(seed: int, draw: int, draws: int) -> str:
    """Name one of several seeds, with its draw where there are several: "seed 3 of draw 2"."""
    return f"seed {seed} of draw {draw}" if draws > 1 else f"seed {seed}"


def either(counts: Iterable[int], noun: str) -> str:
    """Write several counts of something: "2 or 10 seeds"."""
    different = sorted(set(counts))
    return f"{listed(list(map(str, different)), 'or')} {plural(different[-1], noun)}"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Join names with commas and an "and": "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def capitalised(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def shortened(text: str, most: int) -> str:
    """Return a text on one line, cut off after `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} …"


def ratio(value: float) -> str:
    """Write a ratio: "1/230", "0.62", "3.10"."""
    return f"1/{1 / value:,.0f}" if value < 0.1 else f"{value:.2f}"


def readable_size(count: float) -> str:
    """Write a number of bytes: "812 B", "3.1 MB"."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
