"""A small table as users may have it: an identifier, missing values, categories, a label."""

from pathlib import Path

import numpy as np

COLUMNS = "customerID,age,plan,active,spent,left"


def customers(name: str = "customers.csv", rows: int = 200, *, leave: float = 0.4, seed: int = 0) -> str:
    """Write a table of customers, a share of whom `leave`, and return its name."""
    draw = np.random.default_rng(seed)
    lines = [COLUMNS]
    for k in range(rows):
        left = k < round(leave * rows)
        age, spent = draw.normal(40 + 8 * left, 9), draw.normal(100 - 30 * left, 25)
        plan, active = draw.choice(["basic", "plus", "family"]), draw.choice(["yes", "no"])
        money = "" if k % 40 == 7 else f"{spent:.2f}"
        lines.append(f"C-{k:04},{age:.1f},{plan},{active},{money},{'yes' if left else 'no'}")
    Path(name).write_text("\n".join(lines) + "\n")
    return name
