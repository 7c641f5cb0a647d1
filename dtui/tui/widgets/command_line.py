"""One line of text at the bottom of a data screen, with suggestions above it: a search, a note, a place to go to.

It lies over the panes and is no screen of its own, so that a letter repaints these rows and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.sgr import text_in_ascii
from dtui.tui.renderables.panes.key_bar import IN_ASCII
from dtui.tui.widgets.takes_keys import TakesKeys

MOST_SUGGESTIONS = 8
FILLING_SECONDS = 0.5
"""How long the panes have for themselves before a line is made that nobody has asked for yet."""

Suggestion = tuple[str, str, str]
"""Words, its keys, and a hint behind them; all safe to show, and each begins in a column of its own."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        label: Our words before the line.
        value: What the line holds at first.
        changed: Called with the line whenever it changes; returns what is wrong with it, or "".
        suggest: Called with the line; returns suggestions, the best first. None for a line without any.
        example: What may be typed, shown while nothing is; ours.
        unknown: Shown while there is no suggestion for what is typed; ours.
        done: Called once with the line and the place of the chosen suggestion (-1 for none), or with None after Esc.
    """

    label: str
    value: str
    done: Callable[[str | None, int], None]
    changed: Callable[[str], str] | None = None
    suggest: Callable[[str], Sequence[Suggestion]] | None = None
    example: str = ""
    unknown: str = ""


class Line(Input, TakesKeys):
    """What is typed. What comes of it is told at once: a message would come after the keys behind it."""

    def __init__(self, changed: Callable[[str], None], entered: Callable[[str], None]) -> None:
        """Call `changed` with the line when it changes, and `entered` at Enter."""
        super().__init__(select_on_focus=False)
        self._changed, self._entered = changed, entered

    def watch_value(self, value: str) -> None:
        """Tell of it."""
        self._changed(value)

    async def action_submit(self) -> None:
        """Tell of it."""
        self._entered(self.value)

    async def take_text(self, event: events.Key | events.Paste) -> None:
        """Write it into the line."""
        if isinstance(event, events.Paste):
            self._on_paste(event)
        else:
            await self._on_key(event)


class CommandLine(Vertical):
    """Hidden until it asks for something; Enter takes the line, Esc does not."""

    DEFAULT_CSS = """
    CommandLine { layer: over; dock: bottom; height: 0; background: $surface; }
    CommandLine.-asking { height: auto; }
    CommandLine Horizontal { height: 1; background: $surface; }
    CommandLine #suggestions { height: auto; width: 100%; background: $surface; padding: 0 1; display: none;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    CommandLine #label { width: auto; padding: 0 1; color: $accent; text-style: bold; }
    CommandLine #wrong { width: auto; padding: 0 1; color: $warning; }
    CommandLine Input, CommandLine Input:focus {
        border: none; padding: 0; height: 1; width: 1fr; background: $surface;
    }
    CommandLine Input:nocolor > .input--cursor { text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("down,ctrl+n,tab", "choose(1)", show=False),
        Binding("up,ctrl+p,shift+tab", "choose(-1)", show=False),
        Binding("pageup,pagedown", "choose(0)", show=False),
    ]

    is_ascii = False
    """Whether only ASCII may be written."""

    def __init__(self) -> None:
        """Begin hidden."""
        super().__init__()
        self._wish: Wish | None = None
        self._suggestions: Sequence[Suggestion] = ()
        self._chosen = 0

    @property
    def is_asking(self) -> bool:
        """Whether it has the keyboard."""
        return self._wish is not None

    def compose(self) -> ComposeResult:
        """Make the rows."""
        yield Static(id="suggestions")
        yield Horizontal()

    def on_mount(self) -> None:
        """Fill the row of the line when the panes have come: nobody sees it before a key asks for it."""
        self.set_timer(FILLING_SECONDS, self._fill)

    def _fill(self) -> None:
        row = self.query_one(Horizontal)
        if row.is_attached and not row.children:  # it is not any more where the app is left behind the first paint
            line = Line(self._changed, self._entered)
            line.cursor_blink = False  # a line that waits writes nothing, whatever the link
            row.mount(Static(id="label"), line, Static(id="wrong"))

    def ask(self, wish: Wish) -> None:
        """Ask for a line."""
        self._fill()
        self.query_one("#label", Static).update(Content(wish.label))
        self.query_one("#wrong", Static).update("")
        line = self.query_one(Input)
        line.placeholder = wish.example
        line.value = wish.value
        self._wish, self._chosen = wish, 0
        line.cursor_position = len(wish.value)
        self.add_class("-asking")
        self.screen.set_focus(line)  # at once: `focus` would let keys that wait pass it by
        self._show(wish.value)

    def give_up(self) -> None:
        """End without a line, if it asks for one."""
        self._end(None, -1)

    def action_give_up(self) -> None:
        """End without a line."""
        self.give_up()

    def action_choose(self, by: int) -> None:
        """Choose the next or the previous suggestion; they end at both ends."""
        if self._suggestions:
            self._chosen = max(0, min(len(self._suggestions) - 1, self._chosen + by))
            self._list()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep it from the screen: `_changed` was called."""
        event.stop()

    def _changed(self, value: str) -> None:
        """Show what is wrong with the line, and what it may mean, while the user types."""
        if self._wish is not None:
            self._chosen = 0
            self._show(value)

    def _entered(self, value: str) -> None:
        """Take the line, unless it is wrong."""
        wish = self._wish
        if wish is not None and not (wish.changed is not None and wish.changed(value)):
            self._end(value, self._chosen if self._suggestions else -1)

    def _show(self, line: str) -> None:
        wish = self._wish
        if wish is None:
            return
        found = tuple(wish.suggest(line))[:MOST_SUGGESTIONS] if wish.suggest is not None else ()
        wrong = wish.changed(line) if wish.changed is not None else wish.unknown if line.strip() and not found else ""
        self.query_one("#wrong", Static).update(Content(self._written(wrong)))
        keys_in = IN_ASCII if self.is_ascii else {}
        self._suggestions = [
            (self._written(words), self._written(keys.translate(keys_in)), self._written(hint))
            for words, keys, hint in found
        ]
        self._list()

    def _written(self, text: str) -> str:
        return text_in_ascii(text) if self.is_ascii else text

    def _list(self) -> None:
        shown = self.query_one("#suggestions", Static)
        shown.display = bool(self._suggestions)
        wide = max((cell_len(words) for words, _, _ in self._suggestions), default=0)
        of_keys = max((cell_len(keys) for _, keys, _ in self._suggestions), default=0)
        mark = self._written("▌")
        lines = [
            Content.assemble(
                (f"{mark if place == self._chosen else ' '} ", "$accent"),
                (set_cell_size(words, wide), "bold $text" if place == self._chosen else "$text"),
                (f"  {set_cell_size(keys, of_keys)}" if of_keys else "", "$accent"),
                (f"  {hint}" if hint else "", "$text-muted"),
            )
            for place, (words, keys, hint) in enumerate(self._suggestions)
        ]
        shown.update(Content("\n").join(lines))

    def _end(self, line: str | None, chosen: int) -> None:
        wish, self._wish = self._wish, None
        if wish is None:
            return
        self.remove_class("-asking")
        self.screen.set_focus(None)
        self._suggestions = ()
        wish.done(line, chosen)
