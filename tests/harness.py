"""What tests of whole commands share: a tiny recipe, and what a kd command line came to."""

from collections.abc import Callable
from dataclasses import dataclass

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
model = "mlp:4"
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
