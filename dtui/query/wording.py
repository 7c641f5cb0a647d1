"""The words of an incident as people read them: plain numbers, a second layer by name, groups in place of classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dtui.model import Incident
from dtui.model.judging import NOT_RIGHT
from dtui.model.layers import layer_called
from dtui.number_text import with_plain_numbers

_ONE_MORE = ", and filters of 1 more layer, get no gradient"


def with_both_layers(incident: Incident) -> Incident:
    """Return an incident whose sentence names the second layer with dead filters, where it is the only other one."""
    before, counted, after = incident.sentence.partition(_ONE_MORE)
    if not counted:
        return incident
    died = dict.fromkeys(one.layer for one in incident.evidence if one.detector == "dead" and one.layer)
    others = [layer for layer in died if not before.endswith(f" of {layer_called(layer)}")]
    if len(others) != 1:
        return incident
    named = f", and filters of {layer_called(others[0])}, get no gradient"
    return replace(incident, sentence=f"{before}{named}{after}")


def in_plain_numbers(incident: Incident, names: Sequence[str]) -> Incident:
    """Return an incident whose sentence writes its numbers as all of dtui does; the names in it stay as they are."""
    sentence = incident.sentence
    if with_plain_numbers(sentence) == sentence:
        return incident
    layers = (name for one in incident.evidence for name in (one.layer, one.norm) if name)
    kept = {*incident.layers, *layers, *(_name(label, names) for label in incident.classes)}
    any_of = "|".join(re.escape(name) for name in sorted(kept, key=len, reverse=True))
    parts = re.split(rf"((?<![\w.])(?:{any_of})(?![\w.+]))", sentence) if kept else [sentence]
    told = [part if place % 2 else with_plain_numbers(part) for place, part in enumerate(parts)]
    return replace(incident, sentence="".join(told))


def of_groups(incident: Incident, names: Sequence[str]) -> Incident:
    """Return an incident whose sentence speaks of groups, in a run that has them in the place of classes."""
    sentence, moved = incident.sentence, incident.moved_first
    for label in incident.classes:
        name = _name(label, names)
        sentence = sentence.replace(f"class {name}", f"group {name}")
    for words in ("more class", "in many class"):
        sentence = sentence.replace(f"{words}es", f"{words}".replace("class", "groups"))
        sentence = sentence.replace(words, words.replace("class", "group"))
    if len([name for name in names if name != NOT_RIGHT]) == 1:
        sentence = sentence.replace(", in many groups at once", "")
    return replace(incident, sentence=sentence, moved_first=moved.replace("classes", "groups"))


def _name(label: int, names: Sequence[str]) -> str:
    return names[label] if label < len(names) else str(label)
