"""Colours, markers and dashes of all figures: they survive colour blindness and grey print."""

from __future__ import annotations

from typing import Any

# Colours of Okabe and Ito's palette, apart in hue for every common kind of colour vision; the first two
# are far apart in lightness as well, for grey print.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREY = "0.35"
GREEN, VERMILION, SKY, PURPLE, YELLOW = "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442"
COLORS = (BLUE, ORANGE, GREEN, SKY, VERMILION)  # of lines on one panel: dark and light ones by turns
MARKERS = "os^Dv*"
CLASS_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
CLASS_MARKERS = "o^sDvP*X"
DASHES = ("-", "--", "-.", ":")
SHARES = "Blues"  # of matrices, from white: numbers are read on it, in print as well
PROBABILITY = "cividis"  # even in lightness, and alike with and without colour blindness


def line_look(k: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the kth line on a panel: no two of sixty lines look alike."""
    return {
        "color": COLORS[k % len(COLORS)],
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": DASHES[k % len(DASHES)],
    }


def class_look(k: int) -> dict[str, str]:
    """Return colour and marker of the kth class: no two of 56 classes look alike."""
    return {"color": CLASS_COLORS[k % len(CLASS_COLORS)], "marker": CLASS_MARKERS[k % len(CLASS_MARKERS)]}
