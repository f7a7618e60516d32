from kdcli.errors import KdError, UsageError, unknown


def test_exit_codes() -> None:
    assert (KdError("").exit_code, UsageError("").exit_code) == (1, 2)


def test_unknown_suggests_only_what_is_near() -> None:
    assert unknown("target", "sotf", ["soft", "hard"]).message == "no target 'sotf'; did you mean soft?"
    far = unknown("target", "xyz", ["soft", "hard"])
    assert far.message == "no target 'xyz'"
    assert far.hint == "targets: soft, hard"
