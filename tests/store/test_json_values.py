import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.store.json_values import from_json, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_values_are_strict_json_and_read_back_equal(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    assert from_json(json.loads(text, parse_constant=pytest.fail)) == value


def test_what_json_lacks_is_spelled() -> None:
    assert to_json({"a": (1.0, -math.inf), "b": Path("c")}) == {"a": [1.0, "-Infinity"], "b": "c"}
    assert to_json("\udcff") == "\\udcff"
