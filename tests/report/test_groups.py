from dataclasses import replace

import torch
from measured import evidence, students, teacher

from kdcli.evidence.groups import ByGroup, Group, Within
from kdcli.evidence.verdicts import Verdict, Versus
from kdcli.report.groups import groups_document, groups_table, groups_text

EVIDENCE = evidence(students("labels", 0.8), students("soft", 0.9), teacher=teacher(0.95))
SOFT = EVIDENCE.named("soft-T4-mlp4")


def within(name: str, difference: float, verdict: Verdict) -> Within:
    versus = Versus(
        "accuracy",
        "labels-mlp4",
        True,
        difference,
        5,
        (difference - 0.01, difference + 0.01),
        verdict=verdict,
    )
    members = Group(name, [torch.arange(400) < 50])
    return Within(SOFT, members, versus, 0.8 + difference, 0.8, 0.95)


FOUND = ByGroup(
    "plan",
    False,
    [],
    ["tiny"],
    0,
    [within("a", 0.05, "better"), within("b", 0.03, "better"), within("c", -0.04, "worse")],
)


def test_gains_and_losses_are_told_with_the_largest() -> None:
    assert list(groups_text(FOUND, EVIDENCE)) == [
        "Soft at T = 4 (mlp:4) gains in 2 of 3 groups (most in a: 5.00 points of accuracy [4.00, 6.00]) and "
        "loses in 1 of 3 groups (in c: 4.00 points of accuracy [3.00, 5.00]).",
        "Left out, for too few test examples in some draw: tiny.",
    ]


def test_no_verdict_is_told_as_such() -> None:
    found = replace(FOUND, small=[], rows=[within("a", 0.001, "no difference shown")])
    (told,) = groups_text(found, EVIDENCE)
    assert told.startswith("For soft at T = 4 (mlp:4), all groups are inconclusive")


def test_the_table_has_a_row_for_each_group() -> None:
    table = groups_table(FOUND, EVIDENCE)
    assert [section.title for section in table.sections] == ["soft, T = 4"]
    rows = [[row.title.text, *(cell.text for cell in row.cells)] for row in table.rows()]
    assert rows[0] == ["a", "50", "95.00", "80.00", "85.00"]
    assert [row.cells[-1].verdict[0] for row in table.rows()] == ["better", "better", "worse"]
    assert "by plan" in table.title


def test_programs_are_told_all() -> None:
    told = groups_document(FOUND)
    assert (told["by"], told["left_out"]) == ("plan", ["tiny"])
    first = told["comparisons"][0]
    assert (first["students"], first["control"], first["group"]) == ("soft-T4-mlp4", "labels-mlp4", "a")
    assert (first["examples"], first["difference"], first["verdict"]) == ([50], 0.05, "better")
