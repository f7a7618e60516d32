from kdcli.evidence.wording import amount, number


def test_numbers_with_their_units() -> None:
    assert amount("accuracy", 0.0293) == "2.93 points of accuracy"
    assert amount("nll", 0.5) == "0.5000 nats of NLL"
    assert amount("brier", 0.5) == "0.5000 in Brier score"
    assert amount("errors", 12.04) == "12.0 errors"
    assert number("accuracy", -0.0123) == "−1.23"
    assert number("accuracy", -0.00001) == "0.00"
    assert amount("nll", 1.26e34) == "1.3e+34 nats of NLL"
