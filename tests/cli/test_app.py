from pathlib import Path

import pytest
from harness import Kd


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("plot", "--run", "tiny", "--run", "tiny"), "--run"),
        (("plot", "--run=tiny", "--run=other"), "--run"),
        (("gen-data", "--run", "a", "--n-samples", "40", "--run", "b"), "--run"),
        (("train-teacher", "--epochs", "3", "--epochs", "3"), "--epochs"),
        (("show", "--outputs", "a", "tiny", "--outputs", "b"), "--outputs"),
    ],
)
def test_an_option_with_one_value_is_given_once(
    kd: Kd, tiny: Path, arguments: tuple[str, ...], option: str
) -> None:
    outcome = kd(*arguments)
    assert outcome.code == 2
    assert f"{option} is given 2 times but takes one value" in outcome.err
    assert f"`kd {arguments[0]} --help`" in outcome.err
    assert kd(*arguments, "--help").code == 0


def test_a_list_or_a_switch_may_be_repeated(kd: Kd, tiny: Path) -> None:
    assert kd("distill", "-t", "labels", "--target", "soft", "-q", "--quiet").code == 0


def test_completion_script(kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    outcome = kd("--show-completion")
    assert outcome.code == 0
    assert "_KD_COMPLETE=complete_bash" in outcome.out
