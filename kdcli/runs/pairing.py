"""Whether two student sets can be compared student by student."""

from kdcli.runs.recipe import Students
from kdcli.runs.student_sets import StudentSet
from kdcli.settings import flag, rules


def pairing_differences(one: StudentSet, other: StudentSet) -> list[str]:
    """Name the differences that keep two sets from being paired, such as "model (mlp:4, not mlp:8)".

    Students of paired sets with the same seed start alike, see as many batches and have the same budget, so
    that the sets differ only in what they are taught.
    """
    differences = []
    for key, rule in rules(Students).items():
        mine, theirs = one.given(key), other.given(key)
        alike = rule.alike or (lambda value: value)
        if rule.paired and alike(mine) != alike(theirs):
            words = flag(Students, key).removeprefix("--").replace("-", " ")
            differences.append(f"{words} ({mine}, not {theirs})")
    return differences
