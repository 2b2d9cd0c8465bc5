"""The colours of prompts, in pictures as in files that hold a colour."""

from __future__ import annotations

# Okabe and Ito's, distinct for every colour vision, without black and yellow (grey on white)
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167), (0, 114, 178))
"""Red, green and blue of 255; prompts beyond their number begin again."""
