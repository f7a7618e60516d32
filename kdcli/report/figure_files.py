"""Figures as files: PNG, PDF, and SVG, for a file of its own or within a page."""

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

    A character that the font lacks is drawn as a box.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        return render(kind.draw(view), file_format)


def render(figure: Figure, file_format: str) -> bytes:
    """Return a figure as a file of this format; the same figure always gives the same bytes.

    An SVG file is self-contained. Its letters are drawn as paths; with INLINE they are text, for a page whose
    reader has fonts.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    kind = "svg" if file_format == INLINE else file_format
    metadata: dict[str, str | None] = dict.fromkeys(UNWRITTEN[kind])
    if kind == "svg":  # for readers who cannot see the figure
        metadata["Title"] = described(figure)
    letters = "none" if file_format == INLINE else "path"
    with rc_context({"svg.hashsalt": "kd", "svg.fonttype": letters}):  # ids that are not random
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
