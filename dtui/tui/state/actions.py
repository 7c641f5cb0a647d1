"""Every action of the TUI, once: its keys, its words and its help.

Owns the one registry that bindings, key bar, help screen, command palette and the README's table are made
from. A second copy would describe a key that does something else.
"""

from __future__ import annotations

from dataclasses import dataclass

KEY_NAMES = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "enter": "Enter",
    "space": "Space",
    "escape": "Esc",
    "tab": "Tab",
    "shift+tab": "⇧Tab",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "equals_sign": "=",
    "minus": "−",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "f1": "F1",
    "ctrl+p": "^p",
    "ctrl+c": "^c",
    "ctrl+z": "^z",
}

GROUPS = ("Move", "Anomalies", "Open and fold", "Time", "What is shown", "Screens", "Everything else")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key, the mouse or the palette does.

    Attributes:
        id: Name in code; of `steps.STEPS` where it only changes the Selection.
        keys: As Textual names them, the main one first.
        words: One to three words for palette and README.
        help: One sentence.
        group: Of GROUPS.
        screens: Where it does something; empty means everywhere.
    """

    id: str
    keys: tuple[str, ...]
    words: str
    help: str
    group: str
    screens: tuple[str, ...] = ()

    @property
    def shown_keys(self) -> str:
        """Its keys as people read them."""
        return " ".join(KEY_NAMES.get(key, key) for key in self.keys)

    def applies(self, screen: str) -> bool:
        """Whether it does something on a screen."""
        return not self.screens or screen in self.screens


_LAYERS, _VALIDATION = ("layers",), ("validation",)

ACTIONS: tuple[Action, ...] = (
    Action("row_down", ("j", "down"), "next row", "Select the next row of the pane.", "Move"),
    Action("row_up", ("k", "up"), "previous row", "Select the previous row of the pane.", "Move"),
    Action("page_down", ("J", "pagedown"), "page down", "Select a row one page further down.", "Move"),
    Action("page_up", ("K", "pageup"), "page up", "Select a row one page further up.", "Move"),
    Action("first", ("g", "home"), "first row", "Select the first row of the pane.", "Move"),
    Action(
        "last",
        ("G", "end"),
        "last row, follow",
        "Go to the last row; in a live run, follow the newest.",
        "Move",
    ),
    Action("column_left", ("left",), "cursor left", "Move the crosshair one column to the left.", "Move"),
    Action("column_right", ("right",), "cursor right", "Move the crosshair one column to the right.", "Move"),
    Action("column_left_ten", ("shift+left",), "ten left", "Move the crosshair ten columns to the left.", "Move"),
    Action("column_right_ten", ("shift+right",), "ten right", "Move the crosshair ten columns to the right.", "Move"),
    Action(
        "record_before", ("comma",), "iteration before", "Move the crosshair to the recorded iteration before.", "Move"
    ),
    Action(
        "record_after", ("full_stop",), "iteration after", "Move the crosshair to the next recorded iteration.", "Move"
    ),
    Action(
        "anomaly_next",
        ("n",),
        "next anomaly",
        "Go to the next anomaly: iteration, class and images.",
        "Anomalies",
    ),
    Action("anomaly_previous", ("N",), "previous anomaly", "Go to the previous anomaly.", "Anomalies"),
    Action("flag", ("f",), "flag", "Flag the anomaly, or take its flag away.", "Anomalies"),
    Action("dismiss", ("x",), "dismiss", "Dismiss the anomaly and go on to the next.", "Anomalies"),
    Action("undo", ("u",), "undo", "Take back the last decision.", "Anomalies"),
    Action("note", ("m",), "note", "Write a note on the anomaly.", "Anomalies"),
    Action(
        "threshold_down", ("left_square_bracket",), "lower threshold", "Call more iterations anomalies.", "Anomalies"
    ),
    Action(
        "threshold_up", ("right_square_bracket",), "higher threshold", "Call fewer iterations anomalies.", "Anomalies"
    ),
    Action("window", ("w",), "rule window", "Records for which an image must keep its verdict.", "Anomalies"),
    Action("rule", ("r",), "rule", "Anomalies by the left rule, the right rule, or either.", "Anomalies"),
    Action("fold_close", ("h",), "close", "Close the row, or go to its parent.", "Open and fold"),
    Action("fold_open", ("l",), "open", "Open the row, or go into it.", "Open and fold"),
    Action("fold_toggle", ("enter", "space"), "open or close", "Open or close the row.", "Open and fold"),
    Action("zoom_in", ("plus", "equals_sign"), "zoom in", "Magnify time around the crosshair.", "Time"),
    Action("zoom_out", ("minus",), "zoom out", "Show more time around the crosshair.", "Time"),
    Action("zoom_all", ("0",), "whole run", "Show the whole run.", "Time"),
    Action(
        "rows_fewer",
        ("right_curly_bracket",),
        "fewer rows",
        "Magnify the filters or images around the row.",
        "What is shown",
    ),
    Action("rows_more", ("left_curly_bracket",), "more rows", "Show more filters or images.", "What is shown"),
    Action("sort", ("o",), "sort", "Order the filters or the images in another way.", "What is shown"),
    Action(
        "normalise",
        ("i",),
        "normalise",
        "Shade filters against layer, filter, or iteration.",
        "What is shown",
        _LAYERS,
    ),
    Action("statistic", ("s",), "statistic", "Show the next statistic in the pane.", "What is shown", _LAYERS),
    Action(
        "statistic_back", ("S",), "statistic back", "Show the previous statistic in the pane.", "What is shown", _LAYERS
    ),
    Action(
        "source",
        ("t",),
        "weights, gradients",
        "Show statistics of weights, gradients or updates.",
        "What is shown",
        _LAYERS,
    ),
    Action("log_scale", ("y",), "log scale", "Error curves on a logarithmic scale, or not.", "What is shown"),
    Action("two_rows", ("v",), "taller rows", "Give each layer two rows, or one.", "What is shown", _LAYERS),
    Action("chart", ("b",), "chart", "Show layers as horizon graphs, lines or box plots.", "What is shown", _LAYERS),
    Action(
        "clusters",
        ("c",),
        "clusters, colours",
        "Number of clusters; in Images, colour by wrong label.",
        "What is shown",
        _VALIDATION,
    ),
    Action(
        "search",
        ("slash",),
        "search",
        "Show names that match a regex; ! first inverts it.",
        "What is shown",
    ),
    Action("pane", ("tab", "shift+tab"), "other pane", "Move the keyboard to the other pane.", "Screens"),
    Action("maximise", ("z",), "maximise", "Give the pane the whole screen, or take it back.", "Screens"),
    Action("screen_layers", ("1",), "Layers", "Go to the Layers screen.", "Screens"),
    Action("screen_validation", ("2",), "Validation", "Go to the Validation screen.", "Screens"),
    Action("palette", ("ctrl+p", "colon"), "commands", "Find an action by its words.", "Everything else"),
    Action("help", ("question_mark", "f1"), "help", "Show every key.", "Everything else"),
    Action("back", ("escape",), "back", "End the search, the zoom, or the maximised pane.", "Everything else"),
    Action("quit", ("q",), "quit", "Go back; at the top, leave.", "Everything else"),
    Action("leave", ("ctrl+c",), "leave", "Close what lies over the data; else leave at once.", "Everything else"),
    Action("suspend", ("ctrl+z",), "suspend", "Go to the shell; its fg comes back.", "Everything else"),
)

BY_ID = {action.id: action for action in ACTIONS}

_TREE, _CLASSES, _FILTERS = frozenset({"tree"}), frozenset({"classes"}), frozenset({"filters"})
_UPPER, _LOWER, _ALL = _TREE | _CLASSES, frozenset({"filters", "images"}), frozenset[str]()

_BAR: tuple[tuple[tuple[str, ...], str, frozenset[str]], ...] = (
    (("row_down", "row_up"), "select", _ALL),
    (("column_left", "column_right"), "cursor", _ALL),
    (("anomaly_next", "anomaly_previous"), "anomaly", _ALL),
    (("flag",), "flag", _ALL),
    (("dismiss",), "dismiss", _ALL),
    (("zoom_in", "zoom_out"), "zoom", _ALL),
    (("fold_toggle",), "open", _CLASSES),
    (("rows_more", "rows_fewer"), "rows", _LOWER),
    (("sort",), "sort", _LOWER),
    (("normalise",), "normalise", _FILTERS),
    (("statistic",), "statistic", _TREE | _FILTERS),
    (("source",), "source", _TREE),
    (("threshold_down", "threshold_up"), "threshold", _CLASSES),
    (("clusters",), "clusters", _CLASSES),
    (("clusters",), "colour", frozenset({"images"})),
    (("pane",), "pane", _ALL),
    (("maximise",), "maximise", _ALL),
    (("search",), "search", _UPPER),
    (("help",), "help", _ALL),
    (("palette",), "commands", _ALL),
    (("quit",), "quit", _ALL),
)
"""Action ids, what they do together in a word, and the panes that show it (empty: all)."""


def key_bar(pane: str) -> tuple[tuple[str, str], ...]:
    """Return keys and words for the key bar of a pane, most important first."""
    return tuple(
        ("/".join(KEY_NAMES.get(BY_ID[action].keys[0], BY_ID[action].keys[0]) for action in actions), words)
        for actions, words, panes in _BAR
        if not panes or pane in panes
    )
