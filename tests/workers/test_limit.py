import pytest

from kdcli.errors import UsageError
from kdcli.workers import allow, jobs, limit


@pytest.mark.parametrize(
    ("variables", "number"),
    [
        ({"KD_JOBS": "3"}, 3),
        ({"KD_JOBS": "3", "OMP_NUM_THREADS": "1"}, 3),
        ({"KD_JOBS": "", "OMP_NUM_THREADS": "1"}, 1),
        ({"KD_JOBS": "", "OMP_NUM_THREADS": "2,1"}, 2),
        ({"KD_JOBS": "", "OMP_NUM_THREADS": "100"}, 4),
        ({"KD_JOBS": "", "OMP_NUM_THREADS": ""}, 4),
    ],
)
def test_jobs_are_those_asked_for_or_what_the_process_may_use(
    variables: dict[str, str], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    monkeypatch.setattr(limit.LIMIT, "threads", None)
    allow(None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert jobs() == number


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "99999"])
def test_a_number_of_jobs_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_JOBS", text)
    allow(None)
    with pytest.raises(UsageError, match="KD_JOBS must be a whole number"):
        jobs()
