"""The proof of an export, as a sentence and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kdcli.report.table import Cell, Column, Row, Section, Table
from kdcli.words import counted, readable_size

TIE = "0.00001"

if TYPE_CHECKING:
    from kdcli.evidence.costs import Cost
    from kdcli.exports.proof import Proof, Unproven


def proof_text(proof: Proof | Unproven) -> str:
    """Say what was compared and with what result, or why nothing was compared."""
    from kdcli.exports.proof import Unproven

    if isinstance(proof, Unproven):
        return f"Unproven: {proof.why}."
    tested = counted(proof.tested, "test example")
    if proof.tested < proof.of:
        tested = f"the first {tested} of {proof.of:,}"
    made, odd = counted(proof.made, "synthetic row"), proof.near - proof.near_alike
    which = f"all but {odd:,}" if odd else "all"
    ties = f" (the rest are ties, with less than {TIE} between their top two classes)" if odd else ""
    difference = f"{proof.difference:.1e}" if proof.difference else "0"
    built = (
        f" Compiled for size, it takes {readable_size(proof.built)} of code and data." if proof.built else ""
    )
    return (
        f"Proven by {proof.by}: of {tested} and {made}, {which} have the same class as in kd{ties}. "
        f"The largest difference in probability is {difference}.{built}"
    )


def proof_table(file: str, proof: Proof | Unproven, costs: Mapping[str, Cost]) -> Table:
    """Make a table of the cost of an export, next to the `costs` of models in kd by their names."""
    columns = [Column("bytes"), Column("latency\nmedian"), Column("95th\npercentile")]
    rows = [Row(Cell(file), [Cell(float(proof.size), "bytes"), *_latencies(proof)])]
    for name, cost in costs.items():
        times = [Cell(microseconds(1000 * value)) for value in (cost.latency_ms, cost.latency_p95_ms)]
        rows.append(Row(Cell(f"{name} in kd, from features"), [Cell(float(cost.bytes), "bytes"), *times]))
    return Table(columns, [Section(rows)], head=Column("one row at a time", left=True, folds=True))


def _latencies(proof: Proof | Unproven) -> Iterator[Cell]:
    from kdcli.exports.proof import Unproven

    if isinstance(proof, Unproven):
        yield from (Cell("–"), Cell("–"))
    else:
        yield from (Cell(microseconds(value)) for value in (proof.median_us, proof.p95_us))


def microseconds(value: float) -> str:
    """Write a time in microseconds: "0.031 µs", "12.8 µs", "1,240 µs"."""
    return f"{value:,.0f} µs" if value >= 100 else f"{value:.3g} µs"
