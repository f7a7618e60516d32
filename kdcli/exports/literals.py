"""Numbers and names as literals of programming languages.

Names come from files of unknown origin. They are written as ASCII within quotes, so that none can end a
literal or a comment, change the direction of the text after it, or look like something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LONGEST = 200  # characters of a name in a comment
MOST_IN_C = 1000  # characters of a C literal, each with up to 4 bytes
UNSAFE = re.compile(r"[^A-Za-z0-9 ,.:;()<>=+%&#@^|~_-]")  # in a comment of any language


def numbers(values: np.ndarray) -> list[str]:
    """Write numbers, each with the fewest digits that distinguish it from others of its type."""
    written: list[str] = values.ravel().astype(str).tolist()
    return written


def python_text(text: str) -> str:
    """Write a text as a Python literal."""
    return ascii(text)


def javascript_text(text: str) -> str:
    """Write a text as a JavaScript literal, which is also safe inside an HTML page."""
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")


def c_text(text: str) -> str:
    """Write a text as a C literal in UTF-8; a byte that is not a safe character becomes an octal escape.

    C99 guarantees 4,095 bytes for a literal, so longer text is cut.
    """
    bytes_of = text[:MOST_IN_C].encode()
    safe = "".join(chr(b) if not UNSAFE.match(chr(b)) else f"\\{b:03o}" for b in bytes_of)
    return f'"{safe}"'


def in_comment(text: str) -> str:
    """Write a text for a one-line comment; characters other than safe ASCII become escapes."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} ({len(text):,} characters)"
    return UNSAFE.sub(lambda found: f"[U+{ord(found[0]):04X}]", cut)


def literal(value: Any, text: Callable[[str], str]) -> str:
    """Write dicts, lists, arrays, texts and numbers so that both Python and JavaScript can read them.

    `text` writes the texts. Booleans become 0 and 1, and numbers must be finite.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)}: {literal(item, text)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item, text) for item in value) + "]"
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)
    if value.ndim > 1:
        return "[" + ", ".join(literal(row, text) for row in value) + "]"
    return "[" + ", ".join(numbers(value)) + "]"


def parameters(entries: Mapping[str, Any], text: Callable[[str], str]) -> str:
    """Write a dict with a line for each of its entries."""
    lines = [f"    {text(name)}: {literal(value, text)}," for name, value in entries.items()]
    return "\n".join(["{", *lines, "}"])
