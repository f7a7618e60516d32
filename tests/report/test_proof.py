import pytest

from kdcli.evidence.costs import Cost
from kdcli.exports.proof import Proof, Unproven
from kdcli.report.proof import microseconds, proof_table, proof_text

PROOF = Proof("cc 12", 1_000, 1_000, 16, 2.4e-7, 0, 0, 2_048, None, 0.512, 1_234.5)


def test_a_proof_is_told() -> None:
    assert proof_text(PROOF) == (
        "Proven by cc 12: of 1,000 test examples and 16 synthetic rows, all have the same class as in kd. "
        "The largest difference in probability is 2.4e-07."
    )


@pytest.mark.parametrize(
    ("near", "alike", "told"), [(3, 3, "all have the same class"), (3, 1, "all but 2 have")]
)
def test_ties_are_told_where_their_class_differs(near: int, alike: int, told: str) -> None:
    proof = Proof("cc 12", 10, 50, 16, 0.0, near, alike, 2_048, 1_024, 0.5, 1.0)
    text = proof_text(proof)
    assert told in text
    assert ("ties" in text) == (near > alike)
    assert "the first 10 test examples of 50" in text
    assert "The largest difference in probability is 0." in text
    assert text.endswith("Compiled for size, it takes 1.0 kB of code and data.")


def test_what_was_not_run_is_told() -> None:
    assert (
        proof_text(Unproven("there is no node on the PATH", 10)) == "Unproven: there is no node on the PATH."
    )


def test_costs_stand_beside_each_other() -> None:
    cost = Cost(
        parameters=10, multiply_adds=10, bytes=40, latency_ms=0.01, latency_p95_ms=0.25, latency_row_us=0.5
    )
    table = proof_table("a.h", PROOF, {"student": cost})
    cells = [[row.title.text, *(cell.text for cell in row.cells)] for row in table.rows()]
    assert cells == [
        ["a.h", "2.0 kB", "0.512 µs", "1,234 µs"],
        ["student in kd, from features", "40 B", "10 µs", "250 µs"],
    ]
    unproven = proof_table("a.h", Unproven("nothing", 7), {})
    assert [cell.text for row in unproven.rows() for cell in row.cells] == ["7 B", "–", "–"]


def test_times_have_three_digits() -> None:
    assert [microseconds(value) for value in (0.0312345, 12.81, 123.4)] == ["0.0312 µs", "12.8 µs", "123 µs"]
