"""What tests of whole commands share: a tiny recipe, and what a kd command line came to."""

from collections.abc import Callable
from dataclasses import dataclass

from kdcli.data import Split

TINY = """
[data]
dataset = "gaussians"
n_samples = 200
n_test = 400

[teacher]
model = "mlp:8"
epochs = 20
learning_rate = 0.02

[students]
models = ["mlp:4"]
targets = ["labels", "soft"]
seeds = 2
epochs = 20
learning_rate = 0.02
"""


@dataclass
class Outcome:
    code: int
    out: str
    err: str


Kd = Callable[..., Outcome]


def assert_calibrated(split: Split) -> None:
    """Labels must come up as often as the exact posterior says, in bands of it, within sampling error."""
    assert split.posterior is not None
    p = split.posterior[:, 1]
    for low in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8):
        inside = (p >= low) & (p < low + 0.15)
        n = int(inside.sum())
        gap = float(split.y[inside].double().mean() - p[inside].mean())
        assert abs(gap) < 4 * (0.25 / n) ** 0.5
