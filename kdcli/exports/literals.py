"""Numbers and names as literals of programming languages.

Names come from anybody's file. In what is written here they are ASCII within quotes, so that none can end a
literal or a comment, change the direction of what stands after it, or look like something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LONGEST = 200  # characters of a name in a comment
MOST_IN_C = 1000  # characters of a literal of C, each of which has up to 4 bytes
UNSAFE = re.compile(r"[^A-Za-z0-9 ,.:;()<>=+%&#@^|~_-]")  # in a comment of any language


def numbers(values: np.ndarray) -> list[str]:
    """Write numbers, each with as many digits as tell it from others of its type."""
    written: list[str] = values.ravel().astype(str).tolist()
    return written


def python_text(text: str) -> str:
    """Write a text as a literal of Python."""
    return ascii(text)


def javascript_text(text: str) -> str:
    """Write a text as a literal of JavaScript, which can stand within a page as well."""
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")


def c_text(text: str) -> str:
    """Write a text as a literal of C, in UTF-8; a byte that is no safe letter is an octal escape.

    C99 promises 4,095 bytes for a literal: what is longer is cut.
    """
    bytes_of = text[:MOST_IN_C].encode()
    safe = "".join(chr(b) if not UNSAFE.match(chr(b)) else f"\\{b:03o}" for b in bytes_of)
    return f'"{safe}"'


def in_comment(text: str) -> str:
    """Write a text within a line that is a comment; other than letters of ASCII are escapes."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} ({len(text):,} characters)"
    return UNSAFE.sub(lambda found: f"[U+{ord(found[0]):04X}]", cut)


def literal(value: Any, text: Callable[[str], str]) -> str:
    """Write dicts, lists, arrays, texts and numbers as Python and JavaScript read them alike.

    `text` writes the texts. Truth values are 0 and 1, and numbers must be finite.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)}: {literal(one, text)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(one, text) for one in value) + "]"
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
