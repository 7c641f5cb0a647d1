"""The section on how the run was made: its size, when, with which versions and settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dtui.number_text import counted, number_text
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.charts.pictures.structure import structure_picture
from dtui.reports.document import Fact, Facts, Item, Section
from dtui.reports.optimizer_defaults import is_default
from dtui.reports.sections.layers import named_rows, row_of
from dtui.reports.sections.registry import View, moment, section
from dtui.safe_text import safe

MOST_EVENTS = 14
_LIST = re.compile(r"\[[\w, .]*\]")
"""Of numbers or names, as the recorder wrote it."""


@section("made", order=140, screen="structure")
def made_section(view: View) -> Section | None:
    """Return where and how the run was made."""
    given, usual = _settings(view)
    lists = (
        ("What was recorded", _size(view)),
        ("With what", given),
        ("As PyTorch has it unless told otherwise", usual),
        ("Versions", _versions(view)),
        ("Known events", _notes(view)),
    )
    items: list[Item] = [Facts(facts, title) for title, facts in lists if facts]
    items[1:1] = _structure(view)
    caption = "What the run says about itself: its size, the versions of its packages, and what was passed along."
    return Section(f"{view.prefix}-made", "How it was made", caption, tuple(items))


def _structure(view: View) -> list[Item]:
    """Return the picture of the network; nothing for one without layers."""
    tree = view.query.tree()
    if not any(node.layer is not None for node in tree):
        return []
    rows, named = tuple(map(row_of, tree)), named_rows(view, tree) if view.incidents else ()
    top = [row for row in rows if row.depth == 0]
    layers, modules = sum(not row.is_module for row in rows), sum(row.is_module for row in rows)
    more, inside = " and more" if len(top) > 12 else "", counted(modules, "module")
    said = (
        f"The network from its input: {', '.join(row.label for row in top[:12])}{more}; "
        f"{counted(layers, 'layer')}{f' in {inside}' if modules else ''}."
    )
    if named:
        said += f" Framed red are the layers that incidents name, {len(named)}."
    title = "The network, from its input; framed red what incidents name" if named else "The network, from its input"
    return [structure_picture(f"{view.prefix}-structure", rows, named, title, said)]


def _size(view: View) -> tuple[Fact, ...]:
    info, metadata = view.info, view.query.metadata()
    facts = [
        Fact("recorded", moment(metadata.created) or safe(metadata.created)),
        Fact("every", counted(metadata.every, "iteration")),
        Fact("iterations", _iterations(info.first_iteration, info.last_iteration)),
        Fact("records", f"{info.records:,}", f"and {info.watches:,} watches" if info.watches else ""),
        Fact("validations", f"{info.validations:,}"),
        _judged(view),
        Fact("network", counted(info.layers, "layer"), counted(info.filters, "filter")),
    ]
    if info.coverage is not None:
        facts.append(
            Fact("parameters", f"{info.coverage.parameters:,}", safe(info.coverage.text(3, info.other_parameters), 400))
        )
    if info.joins:
        facts.append(Fact("resumed", f"{len(info.joins):,}×", _listed(info.joins)))
    facts.append(Fact("format", str(info.format)))
    return tuple(facts)


def _judged(view: View) -> Fact:
    """Return what the validations judge, and by what."""
    info, (many, _) = view.info, view.nouns
    told = info.classes_of(view.query.image_set())
    told = f"of {told}" if " of " in told else told
    return Fact(
        many, f"{info.images:,}", told if info.judging is None else f"{told}; {safe(info.judging.sentence, 300)}"
    )


def _settings(view: View) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return the hyper-parameters that somebody chose, and those that are their optimizer's defaults."""
    every = view.query.metadata().hyperparameters
    facts = [(Fact(safe(name), safe(value)), is_default(name, value, every)) for name, value in every.items()]
    given, usual = (tuple(fact for fact, is_usual in facts if is_usual is wanted) for wanted in (False, True))
    return given, usual


def _versions(view: View) -> tuple[Fact, ...]:
    return tuple(Fact(safe(name), safe(value)) for name, value in sorted(view.query.metadata().versions.items()))


def _notes(view: View) -> tuple[Fact, ...]:
    facts = []
    notes = view.query.metadata().notes
    for note in notes[:MOST_EVENTS]:
        rest = ", ".join(_said(key, value) for key, value in note.items() if not _is_internal(key, note))
        kind = str(note.get("kind", "event")).replace("_", " ")
        facts.append(Fact(f"at {safe(_moment(note.get('iteration')), 20)}", safe(kind), safe(rest)))
    if len(notes) > MOST_EVENTS:
        facts.append(Fact("further events", f"{len(notes) - MOST_EVENTS:,}"))
    return tuple(facts)


_WORDS = {"last": "until"}
"""What a key of a note is called where its own word would not be understood; these are iterations."""


def _is_internal(key: str, note: Mapping[str, object]) -> bool:
    """Whether an entry of a note is told elsewhere, or is a number of what another entry names."""
    named = (key.removesuffix(end) for end in ("_index", "_id", "_idx", "_number") if key.endswith(end))
    is_over = key == "last" and note.get("last") == note.get("iteration")
    return key in ("iteration", "kind") or is_over or any(name in note for name in named)


def _said(key: str, value: object) -> str:
    """Return one entry of a note; a value that begins with its own name says it once."""
    name = _WORDS.get(key, key.replace("_", " "))
    if key == "share" and isinstance(value, float) and 0 <= value <= 1:
        return f"{name} {percent(value)}"
    tell = _moment if key in _WORDS else _plain
    told = ", ".join(map(tell, value)) if isinstance(value, list | tuple) else tell(value)
    return told if told.startswith(f"{name} ") else f"{name} {told}"


def _moment(value: object) -> str:
    """Return an iteration of a note, as iterations are written everywhere."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _plain(value)


def _plain(value: object) -> str:
    """Return a value of a note; a whole number as it is, which may be an id, a seed or a filter."""
    if isinstance(value, float):
        return number_text(value, 6)
    text = str(value)
    return text[1:-1] if _LIST.fullmatch(text) else text


def _iterations(first: int | None, last: int | None) -> str:
    return f"{first:,}–{last:,}" if first is not None and last is not None else "none yet"


def _listed(joins: tuple[int, ...]) -> str:
    """Return where a training was resumed; only the last places if there are many."""
    shown = ", ".join(f"{iteration:,}" for iteration in joins[-3:])
    return f"at iteration {'…, ' if len(joins) > 3 else ''}{shown}"
