"""Packed runs as an attacker would write them: whatever they hold, the seal is right, as anyone can compute it."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dtui.store.disk.seal import Seal, append_seal
from tests.store.hostile import Bomb, attribute_bomb, tables, unseal
from tests.store.hostile_folders import HOSTILE, ROOT, hostile_names, layer, many_layers

Attack = Callable[[Path, Path], None]
"""Changes an unsealed packed run, given it and the marker that a pickle would make."""

NODES = (
    "/document",
    "/structure/document",
    "/images/document",
    "/images/targets",
    "/images/thumbnails",
    "/records/document",
    "/records/iterations",
    "/records/filters/std",
    "/records/scalars",
    "/validations/validation/label",
)
GROUPS = ("/", "/structure", "/images", "/records", "/records/filters", "/validations/validation")
ATTRIBUTES = (
    ("anything", "TITLE"),
    ("CLASS",),
    ("VERSION",),
    ("FILTERS", "FLAVOR"),
    ("PSEUDOATOM",),
    ("PYTABLES_FORMAT_VERSION",),
)


def make_hostile(path: Path, attack: Attack, marker: Path) -> None:
    """Change a packed run, and give it a seal that is right."""
    unseal(path)
    attack(path, marker)
    marker.unlink(missing_ok=True)  # PyTables runs what it finds, and an attack may open the file more than once
    append_seal(path, [], Seal.PACKED)


def bombs(where: str, names: tuple[str, ...]) -> Attack:
    def attack(path: Path, marker: Path) -> None:
        for name in names:
            attribute_bomb(where, name)(path, marker)

    return attack


def replaced(node: str, make: Callable[[Any, str, str], object]) -> Attack:
    """Return an attack that puts something else in place of a node, or of a group with all that is in it."""

    def attack(path: Path, marker: Path) -> None:
        with tables.open_file(str(path), "a") as file:
            file.remove_node(node, recursive=True)
            parent, name = node.rsplit("/", 1)
            make(file, parent or "/", name)

    return attack


def pickled_rows(node: str) -> Attack:
    """Return an attack that makes a node an array whose rows are pickles: PyTables loads each as it is read."""

    def attack(path: Path, marker: Path) -> None:
        def make(file: Any, parent: str, name: str) -> None:
            rows = file.create_vlarray(parent, name, atom=tables.UInt8Atom())
            rows.append(np.frombuffer(pickle.dumps(Bomb(marker), 0), np.uint8))
            rows._v_attrs._g_setattr(rows, "PSEUDOATOM", np.array(b"object"))

        replaced(node, make)(path, marker)

    return attack


INSTEAD: dict[str, Callable[[Any, str, str], object]] = {
    "a table": lambda file, at, name: file.create_table(at, name, np.zeros(45, [("a", "i8"), ("b", "S9")])),
    "contiguous": lambda file, at, name: file.create_array(at, name, np.zeros((12, 45), np.float32)),
    "growing": lambda file, at, name: file.create_earray(at, name, tables.UInt8Atom(), (0,)),
    "text": lambda file, at, name: file.create_array(at, name, [b"x" * 1000] * 9),
    "a group": lambda file, at, name: file.create_group(at, name),
    "a soft link": lambda file, at, name: file.create_soft_link(at, name, "/records/iterations"),
    "a link to itself": lambda file, at, name: file.create_soft_link(at, name, f"{at.rstrip('/')}/{name}"),
    "a link out": lambda file, at, name: file.create_external_link(at, name, "secret.h5:/document"),
    "a link to a device": lambda file, at, name: file.create_external_link(at, name, "/dev/zero:/x"),
    "a huge shape": lambda file, at, name: file.create_carray(
        at, name, tables.Float32Atom(), (1 << 20, 1 << 20), chunkshape=(64, 64)
    ),
    "a huge chunk": lambda file, at, name: file.create_carray(
        at, name, tables.UInt8Atom(), (1 << 40,), chunkshape=(1 << 30,)
    ),
    "a long document": lambda file, at, name: file.create_carray(
        at, name, tables.UInt8Atom(), (64 << 20,), chunkshape=(1 << 20,)
    ),
    "many tiny chunks": lambda file, at, name: file.create_carray(
        at, name, tables.UInt8Atom(), (1 << 32,), chunkshape=(1,)
    ),
    "of many axes": lambda file, at, name: file.create_carray(at, name, tables.UInt8Atom(), (1,) * 31),
    "of rows of a megabyte": lambda file, at, name: file.create_carray(
        at, name, tables.UInt8Atom((1 << 20,)), (64,), chunkshape=(1,)
    ),
}


def document(where: str, change: Callable[[dict[str, Any]], object]) -> Attack:
    """Return an attack that changes a JSON document in place, or puts the bytes that `change` returns in its place."""

    def attack(path: Path, marker: Path) -> None:
        with tables.open_file(str(path), "a") as file:
            values = json.loads(file.get_node(where)[:].tobytes())
            changed = change(values)
            text = changed if isinstance(changed, bytes) else json.dumps(values).encode()
            _put(file, where, np.frombuffer(text, np.uint8))

    return attack


def array(where: str, change: Callable[[np.ndarray], np.ndarray]) -> Attack:
    """Return an attack that changes the values of an array."""

    def attack(path: Path, marker: Path) -> None:
        with tables.open_file(str(path), "a") as file:
            _put(file, where, change(file.get_node(where)[:]))

    return attack


def _put(file: Any, where: str, values: np.ndarray) -> None:
    file.remove_node(where)
    parent, name = where.rsplit("/", 1)
    file.create_carray(parent or "/", name, obj=values)


def both(*attacks: Attack) -> Attack:
    def attack(path: Path, marker: Path) -> None:
        for one in attacks:
            one(path, marker)

    return attack


def renumbered(stream: str, frames: int, **changes: object) -> Attack:
    """Return an attack after which all say that a stream has so many frames, its arrays excepted."""
    return both(
        document("/document", lambda v: v["streams"][stream].update(frames=frames)),
        document(f"/{stream}/document", lambda v: v.update(stop=frames, **changes)),
    )


def deep_tree(path: Path, marker: Path) -> None:
    with tables.open_file(str(path), "a") as file:
        group = file.root
        for _ in range(1_000):
            group = file.create_group(group, "g")


def wide_tree(path: Path, marker: Path) -> None:
    with tables.open_file(str(path), "a") as file:
        for at in range(5_000):
            file.create_group("/", f"g{at}")


def odd_names(path: Path, marker: Path) -> None:
    with tables.open_file(str(path), "a") as file:
        for parent in ("/", "/records", "/records/filters", "/structure"):
            for name in ("..", "\x1b]0;owned\x07", "a b", "-rf", "c" * 60_000, "\u202e", "__class__"):
                file.create_group(parent, name)


def sealed_twice(path: Path, marker: Path) -> None:
    append_seal(path, [], Seal.FILE)
    append_seal(path, [], Seal.PACKED)


def padded(path: Path, marker: Path) -> None:
    """Bytes of another HDF5 file behind the end of this one, under the seal."""
    path.write_bytes(path.read_bytes() * 2)


def nothing_inside(path: Path, marker: Path) -> None:
    path.write_bytes(b"")


def line(**values: object) -> dict[str, object]:
    return {"first": 1, "last": 2, "stream": "records", "reason": HOSTILE, **values}


def fired(**values: object) -> dict[str, object]:
    return {"iteration": 1, "kind": "loss", "layer": HOSTILE, "filters": [0], "score": 1.0, "times": 2.0, **values}


def joined(at: int) -> dict[str, object]:
    return {"iteration": 10**6 - at, "superseded": {}, "lines": {"gaps.jsonl": at, "triggers.jsonl": at}}


def told(**changes: object) -> Attack:
    """Return an attack that changes what the packed run says of itself."""
    return document("/document", lambda values: values.update(changes))


def of_lines(name: str, *items: object) -> Attack:
    return document("/document", lambda values: values["lines"].update({name: list(items)}))


def of_stream(name: str, **changes: object) -> Attack:
    return document("/document", lambda values: values["streams"][name].update(changes))


SAID: dict[str, Attack] = {
    "no JSON": document("/document", lambda _: b"\xff\xfe{"),
    "deep JSON": document("/document", lambda _: b'{"format":' * 500_000),
    "lists": document("/document", lambda _: b'{"missing":[' + b"[]," * (15 << 20) + b"1]}"),
    "format infinite": told(format=float("inf")),
    "format huge": told(format=10**4000),
    "format of text": told(format=HOSTILE),
    "another run": told(run=HOSTILE),
    "status of text": told(status=HOSTILE),
    "reason": told(status="crashed", reason=HOSTILE),
    "reason of lists": told(status="crashed", reason=[[HOSTILE]]),
    "no streams": told(streams={}),
    "streams of text": told(streams=HOSTILE),
    "odd streams": told(streams={HOSTILE: 1, "../records": 2, "/structure": {}, "records": None}),
    "frames huge": of_stream("records", frames=10**4000),
    "frames negative": of_stream("records", frames=-5),
    "more frames than arrays": renumbered("records", 47),
    "fewer frames than arrays": renumbered("records", 45),
    "a billion frames": renumbered("records", 10**9),
    "frames that start later": renumbered("records", 46, first=7),
    "of another stream": document("/records/document", lambda v: v.update(stream="validations")),
    "lost huge": of_stream("records", lost={"/layers/histogram": [[0, 10**4000]]}),
    "lost backwards": of_stream("validations", lost={"/validation/label": [[9, 3]]}),
    "lost negative": of_stream("validations", lost={"/validation/label": [[-9, 3]]}),
    "lost of text": of_stream("validations", lost={HOSTILE: HOSTILE}),
    "lost everywhere": of_stream("validations", lost={"/validation/label": [[0, 38]] * 300_000}),
    "lost too often": of_stream("validations", lost={"/validation/label": [[0, 1]] * 1_100_000}),
    "as many joins and gaps as fit": both(
        told(joins=[joined(at) for at in range(40_000)]), of_lines("gaps.jsonl", *[line()] * 40_000)
    ),
    "joins of text": told(joins=[HOSTILE, {"iteration": HOSTILE}]),
    "gaps": of_lines("gaps.jsonl", line(), line(last=10**4000), line(stream=[HOSTILE]), line(reason={"a": [HOSTILE]})),
    "gaps of text": of_lines("gaps.jsonl", HOSTILE),
    "triggers": of_lines(
        "triggers.jsonl", fired(), fired(kind=HOSTILE), fired(filters=[10**400]), fired(score=HOSTILE)
    ),
    "logged": of_lines(
        "logged.jsonl",
        {"iteration": 5, "values": {HOSTILE: 1.0, "loss": float("nan")}},
        {"iteration": 10**400, "values": {"loss": 1.0}},
        {"iteration": 5, "values": {"loss": 10**400}},
        {"iteration": 5, "values": {"loss": [HOSTILE]}},
        {"iteration": 5, "values": [HOSTILE]},
    ),
    "logged of text": of_lines("logged.jsonl", HOSTILE),
    "decisions": of_lines(
        "triage.jsonl",
        {"what": HOSTILE, "status": HOSTILE, "note": HOSTILE, "who": HOSTILE, "when": HOSTILE},
        {"what": "class-left-0-100-gained", "status": "flagged", "note": HOSTILE},
        {"what": ["a"], "status": 1e308, "note": {"a": [1]}},
    ),
    "missing": told(missing=[HOSTILE] * 200_000),
    "missing long": told(missing=["x" * (40 << 20)]),
    "images that are not there": both(told(images=True), replaced("/images", lambda *_: None)),
    "structure: text": document("/structure/document", hostile_names),
    "structure: a million layers": document("/structure/document", many_layers),
    "structure: 20 million filters": document(
        "/structure/document", lambda v: v.update(layers=[layer(0, 20_000_000)], modules=ROOT)
    ),
    "structure: huge shape": document(
        "/structure/document", lambda v: v.update(layers=[layer(0, 1, *[10**18] * 3)], modules=ROOT)
    ),
    "images: text": document("/images/document", lambda v: v.update(classes=[HOSTILE] * 4, ids=[HOSTILE] * 6)),
    "images: four million": document("/images/document", lambda v: v.update(ids=["a"] * 4_000_001)),
    "images: others": document("/images/document", lambda v: v.update(run="other")),
    "targets descend": array("/images/targets", lambda v: v[::-1]),
    "targets out of range": array("/images/targets", lambda v: v + np.uint16(60_000)),
    "thumbnails out of place": array("/images/thumbnail_offsets", lambda v: v + (1 << 62)),
    "thumbnails backwards": array("/images/thumbnail_offsets", lambda v: v[::-1]),
    "thumbnails of noise": array(
        "/images/thumbnails", lambda v: np.random.default_rng(0).integers(0, 256, len(v)).astype(np.uint8)
    ),
    "scalars of text": document("/records/document", lambda v: v.update(scalars=[HOSTILE, HOSTILE + "2"])),
    "a million scalars": document("/records/document", lambda v: v.update(scalars=["a"] * 1_000_000)),
    "iterations descend": array("/records/iterations", lambda v: v[::-1]),
    "iterations repeat": array("/records/iterations", lambda v: v // 50 * 50),
    "iterations at both ends": array(
        "/records/iterations", lambda v: np.concatenate([[-(1 << 63)], v[1:-1], [(1 << 63) - 1]])
    ),
    "iterations far apart": array("/records/iterations", lambda v: v * (1 << 50)),
    "watches where records are": both(
        array("/watches/iterations", lambda v: np.arange(len(v)) * 10),
        array("/records/iterations", lambda v: np.arange(len(v)) * 10),
    ),
    "validations far away": array("/validations/iterations", lambda v: v + (1 << 61)),
    "labels that are no classes": array("/validations/validation/label", lambda v: v + np.uint16(65_000)),
    "statistics beyond all": array(
        "/records/layers/weights", lambda v: np.full_like(v, np.float32(3e38)) * np.where(v > 0, 1, -1).astype(v.dtype)
    ),
    "deep tree": deep_tree,
    "wide tree": wide_tree,
    "odd names": odd_names,
    "sealed twice": sealed_twice,
    "two files": padded,
    "nothing inside": nothing_inside,
}

WHOLE: dict[str, Attack] = {
    **SAID,
    "pickles in all attributes": both(*(bombs(where, ("anything", "TITLE")) for where in (*GROUPS, *NODES))),
    "pickled rows": pickled_rows("/records/filters/std"),
    **{
        f"{where} is {what}": replaced(where, make)
        for what, make in INSTEAD.items()
        for where in ("/document", NODES[7])
    },
    **{
        f"{where} is {what}": replaced(where, INSTEAD[what])
        for what in ("a soft link", "a link to itself", "a link out")
        for where in ("/structure", "/records", "/images")
    },
}
"""Those under which every command is run."""


def after_the_seal(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 100)


def sealed_as_a_file_at_last(path: Path) -> None:
    append_seal(path, [], Seal.FILE)


def of_no_length(path: Path) -> None:
    """A seal that is right but for the length that it promises."""
    data = bytearray(path.read_bytes())
    data[-40:-32] = struct.pack("<Q", 1 << 60)
    path.write_bytes(data)


SEALS = {"bytes after": after_the_seal, "a file's seal last": sealed_as_a_file_at_last, "length": of_no_length}
