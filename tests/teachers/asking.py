"""Examples that teachers are asked about in tests."""

import polars as pl
import torch

from kdcli.teachers.asked import Asked

CLASSES = ("no", "yes")


def table(rows: int = 4, classes: tuple[str, ...] = CLASSES) -> Asked:
    """A table whose row k has the age k (none in the last row), and a colour; encoded as age and a flag."""
    ages = [*range(rows - 1), None]
    frame = pl.DataFrame({"age": ages, "my colour": ["red", None, "blue, dark", 'a "b"'] * (rows // 4)})
    x = torch.tensor([[0.5 if age is None else age, float(age is None)] for age in ages])
    return Asked(frame, x, ("age", "age missing"), classes)


def images(shape: tuple[int, ...] = (2, 3), classes: tuple[str, ...] = CLASSES) -> Asked:
    """Five images with all values from 0 on."""
    x = torch.arange(5 * torch.Size(shape).numel()).reshape(5, *shape).to(torch.uint8)
    return Asked(None, x, (), classes)
