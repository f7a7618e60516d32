from pathlib import Path

from kdcli.errors import Command, KdError, UsageError, joined, nearest, unknown

TRAIN = Command("train-teacher", run="one")


def test_exit_codes() -> None:
    assert (KdError("").exit_code, UsageError("").exit_code) == (1, 2)


def test_unknown_suggests_only_what_is_near() -> None:
    assert unknown("target", "sotf", ["soft", "hard"]).message == "no target 'sotf'; did you mean soft?"
    far = unknown("target", "xyz", ["soft", "hard"])
    assert far.message == "no target 'xyz'"
    assert far.hint == "targets: soft, hard"
    assert unknown("run", "xyz", []).hint == "there is no run yet"
    assert nearest("", ["soft"]) == nearest("soft", []) == ""


def test_an_unknown_name_may_have_a_remedy() -> None:
    assert unknown("run", "b", ["a"], "Make one").hint == "runs: a. Make one"
    assert unknown("run", "b", ["a"], (TRAIN, " makes it")).hint == ("runs: a. ", TRAIN, " makes it")


def test_a_command_with_further_options_is_another_one() -> None:
    command = Command("distill", ("x",), {"seeds": 2}, run="one", outputs=Path("there"))
    more = command.adding(force=True, seeds=3)
    assert more == Command("distill", ("x",), {"seeds": 3, "force": True}, "one", Path("there"))
    assert command.options == {"seeds": 2}


def test_texts_join_to_one_with_their_commands() -> None:
    assert joined("a", "b") == "ab"
    assert joined("a ", (TRAIN, " b"), TRAIN) == ("a ", TRAIN, " b", TRAIN)
