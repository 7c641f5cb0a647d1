"""Every mark on the screens: its glyph, its colour and what it means. The screens draw them, help lists them."""

from __future__ import annotations

from typing import NamedTuple

from dtui.tui.renderables.canvas.theme import Theme


class Mark(NamedTuple):
    """A mark. One glyph may stand for two things where the pane says which.

    Attributes:
        glyph: One cell.
        colour: Its name in the theme.
        meaning: What it says, as a line of help; "class" becomes "group" where scores decide.
    """

    glyph: str
    colour: str
    meaning: str

    def __str__(self) -> str:
        """Return its glyph."""
        return self.glyph

    def of(self, theme: Theme) -> int:
        """Return its colour."""
        colour: int = getattr(theme, self.colour)
        return colour


LOST = Mark("▼", "lost", "A class got worse; with a number: so many marks.")
GAINED = Mark("▲", "gained", "A class got better.")
CHANGED = Mark("◆", "accent", "Layers or filters changed; an incident names it.")
NETWORK = Mark("≋", "warning", "The whole network.")
NONFINITE = Mark("✱", "crashed", "The first NaN or Inf of the training.")
FELL = Mark("▾", "bright", "On the strip of a class: it got worse here.")
ROSE = Mark("▴", "bright", "On the strip of a class: it got better here.")
FLAGGED = Mark("⚑", "flag", "Flagged: somebody judged that it matters.")
NOTED = Mark("✎", "flag", "Somebody wrote a note.")
MARKED = Mark("•", "accent", "Marked; of a list: what holds now.")

DEAD = Mark("×", "warning", "Dead filters.")
MOVING = Mark("~", "accent", "Filters that still move at the end.")
LATE = Mark("○", "gained", "Filters that first changed late.")
TOO_SLOW = Mark("▾", "muted", "Update ratio too small.")
TOO_FAST = Mark("▴", "lost", "Update ratio too large.")
CONV = Mark("■", "layer", "Layer: a convolution, or the like.")
LINEAR = Mark("▬", "module", "Layer: fully connected.")
NORM = Mark("≈", "muted", "Normalisation layer.")
PARAMETER = Mark("▫", "muted", "Parameter outside the layers.")
ADAPTER = Mark("⊕", "muted", "Adapter of a layer (LoRA).")
HEAD = Mark("◇", "muted", "Attention head.")
OPERATION = Mark("⊕", "accent", "In the structure: an operation, such as a sum.")
END = Mark("○", "text", "In the structure: input or output.")
OTHER = Mark("●", "muted", "In the structure: any other module.")
OPENED = Mark("▾", "muted", "It is open; Enter closes it.")
CLOSED = Mark("▸", "muted", "It can be opened, with Enter.")

RIGHT = Mark("✓", "gained", "The image is judged right.")
WRONG = Mark("✗", "warning", "It is judged wrong.")
ALWAYS_WRONG = Mark("×", "warning", "An image that was wrong at every validation.")

BROKEN = Mark("×", "warning", "NaN or Inf in the values.")
NO_VALUE = Mark("·", "muted", "No value.")
JOINED = Mark("»", "accent", "The training went on from a checkpoint.")
STAGE = Mark("┊", "faint", "A stage of the learning rate begins.")
CROSSHAIR = Mark("╷", "crosshair", "The crosshair, with ╵ at the other edge.")
CHOSEN = Mark("▸", "flag", "The selected row or cell; the run that is open.")
POINTER = Mark("▲", "flag", "Below a chart: the place that the words name.")
PARTED = Mark("▼", "warning", "Compare: the runs part here.")
KEYBOARD = Mark("▌", "accent", "The pane or row that has the keyboard.")

LIVE = Mark("●", "live", "Live: the training goes on.")
DONE = Mark("■", "muted", "Done.")
INCOMPLETE = Mark("□", "warning", "Incomplete: it was ended early.")
CRASHED = Mark("✖", "crashed", "Crashed.")

_LAYERS = (CONV, LINEAR, NORM, PARAMETER, ADAPTER, HEAD, OPENED, CLOSED, OPERATION, END, OTHER)
_FILTERS = (DEAD, MOVING, LATE, TOO_SLOW, TOO_FAST)
LEGEND: tuple[tuple[str, tuple[Mark, ...]], ...] = (
    ("Marks: incidents", (LOST, GAINED, CHANGED, NETWORK, NONFINITE, FELL, ROSE, FLAGGED, NOTED, MARKED)),
    ("Marks: layers", _LAYERS),
    ("Marks: filters and updates", _FILTERS),
    ("Marks: images", (RIGHT, WRONG, ALWAYS_WRONG)),
    ("Marks: charts", (BROKEN, NO_VALUE, JOINED, STAGE, CROSSHAIR, CHOSEN, POINTER, PARTED, KEYBOARD)),
    ("Marks: runs", (LIVE, DONE, INCOMPLETE, CRASHED)),
)
"""The marks by what they stand on, as help lists them."""
OF_SIGN = {mark.glyph: mark for mark in (LOST, GAINED, CHANGED, NETWORK, NONFINITE)}
"""The mark of each sign that an entry of the review has."""
