"""What fuzz tests share: how many examples they try."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("KD_FUZZ", "1"))
GATE = 2  # times as many in `.ci/run`


def trials(count: int) -> settings:
    return settings(
        max_examples=count * TIMES,
        deadline=None,
        derandomize=TIMES <= GATE,  # a gate must not fail by luck
        database=None,
        suppress_health_check=list(HealthCheck),
    )
