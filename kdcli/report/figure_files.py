"""Figures as files: PNG, PDF, and SVG to stand alone or within a page."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import described

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures import FigureKind, StudyFigureKind

INLINE = "inline svg"  # a format of figures within a page
UNWRITTEN = {"svg": ("Date", "Creator", "Format", "Type"), "pdf": ("CreationDate",), "png": ()}  # of files


def drawn(kind: FigureKind | StudyFigureKind, view: Any, file_format: str) -> bytes:
    """Draw a figure of this kind as a file; see `render`.

    Where the font lacks a character of a name, a box stands for it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        return render(kind.draw(view), file_format)


def render(figure: Figure, file_format: str) -> bytes:
    """Return a figure as a file of this format: the same figure gives the same bytes, whenever it is drawn.

    An SVG file holds all that it shows and refers to nothing elsewhere. Its letters are drawn; in one that is
    INLINE they are text, for a page whose reader has fonts.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    kind = "svg" if file_format == INLINE else file_format
    metadata: dict[str, str | None] = dict.fromkeys(UNWRITTEN[kind])
    if kind == "svg":  # for whoever cannot see it
        metadata["Title"] = described(figure)
    letters = "none" if file_format == INLINE else "path"
    with rc_context({"svg.hashsalt": "kd", "svg.fonttype": letters}):  # ids that are not random
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
