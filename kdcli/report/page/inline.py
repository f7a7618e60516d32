"""Figures within a page: SVG from Matplotlib, adapted so that several fit in one HTML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from kdcli.report.page.visible import plain

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"(?:(?<=url\(#)|(?<=^#))[\w.:-]+")  # to an element of the same file
REFERRING = ("href", f"{{{LINK}}}href", "clip-path", "style")
LENGTHS = ("d", "x", "y")
LONG = re.compile(r"(\.\d\d)\d+")  # a number with more digits than are visible
SPACES = re.compile(r"\s*([A-Za-z])\s*")  # around the letters of a path


def inlined(svg: bytes, name: str) -> str:
    """Return an SVG file as an element of an HTML page.

    The ids that something refers to begin with the `name` of the figure, as all ids of a page share one
    namespace. Other ids and metadata are left out, and coordinates have two decimals of a point. The title,
    which describes the figure in words, stays.
    """
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK)
    root = ElementTree.fromstring(svg)  # noqa: S314 kd drew it
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    used = {found for element in root.iter() for found in _references(element)}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        _rewrite(element, name)
    if (title := root.find(f"{{{SVG}}}title")) is not None:
        title.set("id", f"{name}-title")
        root.set("aria-labelledby", f"{name}-title")
    root.set("role", "img")
    root.attrib.pop("height")
    root.set("style", f"max-width: {root.attrib.pop('width')}")  # on a narrow screen, less
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> Iterator[str]:
    for key in REFERRING:
        yield from REFERENCE.findall(element.get(key, ""))


def _rewrite(element: ElementTree.Element, name: str) -> None:
    """Name an element after its figure, and write it in fewer characters."""
    element.text = plain(element.text) if element.text and element.text.strip() else None
    element.tail = None
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key in REFERRING:
            element.set(key, REFERENCE.sub(rf"{name}-\g<0>", value))
        elif key in LENGTHS:
            short = LONG.sub(r"\1", value)
            element.set(key, SPACES.sub(r"\1", short) if key == "d" else short)
