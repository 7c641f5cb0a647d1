"""Defines actions: those of every screen, and those that several panes understand, each in its own way.

A pane adds its own actions (`Pane.actions`), and the table of screens adds one per screen (`Table.actions`). Bindings,
key bar, help screen, command palette and the README's table are made from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from dtui.dataclass_on_use import dataclass

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
    "asterisk": "*",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "f1": "F1",
    "ctrl+p": "^p",
    "ctrl+c": "^c",
    "ctrl+z": "^z",
    "ctrl+l": "^l",
}

SHOWN = "What is shown"
GROUPS = ("Move", "Review", "Open and fold", "Time", SHOWN, "Screens", "Everything else")
"""Headings of help and README, in their order; what a pane adds is nearly always of the group SHOWN."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key, the mouse or the palette does.

    Attributes:
        id: Name in code; a key of `key_steps.STEPS` or of a pane's `steps` where it only changes the Selection.
        keys: Keys in Textual's names, the main one first.
        words: One to three words for palette and README.
        help: One sentence.
        group: Of GROUPS.
    """

    id: str
    keys: tuple[str, ...]
    words: str
    help: str
    group: str

    @property
    def shown_keys(self) -> str:
        """Its keys as written on the screen."""
        return " ".join(KEY_NAMES.get(key, key) for key in self.keys)


COMMON: tuple[Action, ...] = (
    Action("row_down", ("j", "down"), "next row", "Select the next row of the pane.", "Move"),
    Action("row_up", ("k", "up"), "previous row", "Select the previous row of the pane.", "Move"),
    Action("page_down", ("J", "pagedown"), "page down", "Select a row one page further down.", "Move"),
    Action("page_up", ("K", "pageup"), "page up", "Select a row one page further up.", "Move"),
    Action("first", ("g", "home"), "first row", "Select the first row of the pane.", "Move"),
    Action("last", ("G", "end"), "last row, follow", "Go to the last row; in a live run, follow the newest.", "Move"),
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
        "entry_next",
        ("n",),
        "next incident",
        "Select the next incident, or match of a search.",
        "Review",
    ),
    Action("entry_previous", ("N",), "previous incident", "Select the incident, or match, before.", "Review"),
    Action("flag", ("f",), "flag", "Flag the incident, or take its flag away.", "Review"),
    Action("dismiss", ("x",), "dismiss", "Dismiss the incident and go on to the next.", "Review"),
    Action("note", ("m",), "note", "Write a note on the incident.", "Review"),
    Action("undo", ("u",), "undo", "Take back the last decision.", "Review"),
    Action("mark", ("space",), "mark", "Mark the row: decisions are about all marked ones.", "Review"),
    Action("mark_alike", ("asterisk",), "mark alike", "Mark all rows of the same kind, or none.", "Review"),
    Action("listing", ("L",), "list", "Review anomalies in place of incidents, or go back.", "Review"),
    Action("threshold_down", ("left_square_bracket",), "lower threshold", "Call more iterations anomalies.", "Review"),
    Action("threshold_up", ("right_square_bracket",), "higher threshold", "Call fewer iterations anomalies.", "Review"),
    Action("window", ("w",), "rule window", "Records for which an image must keep its verdict.", "Review"),
    Action("rule", ("r",), "rule", "Anomalies by the left rule, the right rule, or either.", "Review"),
    Action("fold_close", ("h",), "close", "Close the row, or go to its parent.", "Open and fold"),
    Action("fold_open", ("l",), "open", "Open the row, or go into it.", "Open and fold"),
    Action("fold_toggle", ("enter",), "open or close", "Open or close the row; look inside it.", "Open and fold"),
    Action("zoom_in", ("plus",), "zoom in", "Magnify time around the crosshair.", "Time"),
    Action("compare", ("equals_sign",), "zoom in, compare", "Magnify time too; in Runs, compare runs.", "Time"),
    Action("zoom_out", ("minus",), "zoom out", "Show more time around the crosshair.", "Time"),
    Action("zoom_all", ("0",), "whole run", "Show the whole run.", "Time"),
    Action(
        "rows_fewer", ("right_curly_bracket",), "fewer rows", "Magnify the filters or images around the row.", SHOWN
    ),
    Action("rows_more", ("left_curly_bracket",), "more rows", "Show more filters or images.", SHOWN),
    Action("sort", ("o",), "sort", "Order the rows of the pane in another way.", SHOWN),
    Action("chart", ("b",), "chart", "Draw the pane's rows as another kind of chart.", SHOWN),
    Action("other_view", ("v",), "other view", "Taller rows; in the cube, time around the incident.", SHOWN),
    Action("only_here", ("a",), "only with incident", "Show only rows that have an incident here, or all.", SHOWN),
    Action("inside", ("i",), "look inside", "Show images of the class, or all that turned wrong.", SHOWN),
    Action("statistic", ("s",), "statistic", "Choose the statistic of the pane from a list.", SHOWN),
    Action("statistic_back", ("S",), "statistic back", "Show the previous statistic in the pane.", SHOWN),
    Action("search", ("slash",), "search", "Show names that match a regex; ! first inverts it.", SHOWN),
    Action("pane", ("tab", "shift+tab"), "other pane", "Move the keyboard to the other pane.", "Screens"),
    Action("maximise", ("z",), "maximise", "Give the pane the whole screen, or take it back.", "Screens"),
    Action(
        "palette",
        ("colon", "ctrl+p"),
        "go to",
        "Go to an iteration, layer, class, filter, or action.",
        "Everything else",
    ),
    Action("copy_link", ("y",), "copy link", "Copy the command that opens this place.", "Everything else"),
    Action("export", ("E",), "export", "Write the screen as .svg, .png, or numbers as .csv.", "Everything else"),
    Action("help", ("question_mark", "f1"), "help", "Show every key and mark.", "Everything else"),
    Action("back", ("escape",), "back", "End the search, the zoom, or the maximised pane.", "Everything else"),
    Action("quit", ("q",), "quit", "Go back; at the top, leave.", "Everything else"),
    Action("leave", ("ctrl+c",), "leave", "Close what lies over the data; else leave at once.", "Everything else"),
    Action("suspend", ("ctrl+z",), "suspend", "Go to the shell; its fg comes back.", "Everything else"),
    Action(
        "draw_anew", ("ctrl+l",), "draw anew", "Draw the whole screen, over what strayed onto it.", "Everything else"
    ),
)

BarItem = tuple[tuple[str, ...], str]
"""Action ids and what they do together, in a word."""

BAR: tuple[BarItem, ...] = (
    (("row_down", "row_up"), "select"),
    (("column_left", "column_right"), "cursor"),
    (("entry_next", "entry_previous"), "incident"),
)
"""What the key bar shows first, before the pane's main key."""
BAR_OF_ANOMALIES = (*BAR[:-1], (BAR[-1][0], "anomaly"))
"""The same where anomalies are reviewed."""

BAR_BETWEEN: tuple[BarItem, ...] = (
    (("flag",), "flag"),
    (("dismiss",), "dismiss"),
    (("zoom_in", "zoom_out"), "zoom"),
)
"""What it shows before the pane's other keys."""

BAR_AFTER: tuple[BarItem, ...] = (
    (("pane",), "pane"),
    (("maximise",), "maximise"),
    (("search",), "search"),
    (("palette",), "go to"),
)
"""What it shows after them; a search only where the pane has names."""

BAR_LAST: tuple[BarItem, ...] = ((("help",), "help"), (("quit",), "quit"))
"""What it ends with, at every width."""
BAR_LAST_INSIDE: tuple[BarItem, ...] = ((("help",), "help"), (("quit",), "back"))
"""The same, where the last key goes back."""


def main_keys(by_id: Mapping[str, Action], ids: tuple[str, ...]) -> str:
    """Return the main keys of some actions as written on the screen, such as "j/k"."""
    return "/".join(KEY_NAMES.get(by_id[id_].keys[0], by_id[id_].keys[0]) for id_ in ids)
