"""Whole runs as an attacker would hand them over: links, pipes, bombs and text that is a command to a terminal."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dtui.store.disk.journal import encode_header
from dtui.store.disk.json_lines import check_of
from dtui.store.disk.sealed_builder import write_small_file
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.contents import FORMAT_VERSION
from dtui.store.format.names import run_token
from dtui.store.format.schema import Stream
from tests.store.conftest import Recording

SECRET = "the-secret-outside"
HOSTILE = (
    "\x1b]0;owned\x07\x1b[31m[@click=app.quit]x[/] </script><script>alert(1)</script> {{7*7}} \u202ecba\u200b\ud800"
)

Attack = Callable[[Path, Path], None]
"""Changes a run, given the run and a folder outside it."""

REST = (
    "heartbeat",
    "gaps.jsonl",
    "triggers.jsonl",
    "logged.jsonl",
    "triage.jsonl",
    "compact.lock",
    "findings.h5",
    "parts/records-0000000000-0000000032.h5",
    "parts/validations-0000000000-0000000032.h5",
    "journal/records-0000000032.dtj",
    "journal/validations-0000000032.dtj",
)
FILES = (("structure.h5",), ("images.h5",), ("run.json",), REST)
"""What is replaced together: without one of the first there is less to look at, the rest are read one by one."""


def fill_outside(outside: Path) -> None:
    """Make the folder that must stay as it is: a secret under every name that a run knows."""
    outside.mkdir()
    for name in (name for names in FILES for name in names):
        (outside / Path(name).name).write_text(SECRET * 20)
    for name in (
        "records-0000000001-0000000002.h5",
        "records-0000000000-0000000064.h5.tmp-1-ab",
        "compact.lock.tmp-1-a",
    ):
        (outside / name).write_text(SECRET)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and modification time of all files of a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def link_folder(name: str) -> Attack:
    def attack(run: Path, outside: Path) -> None:
        shutil.rmtree(run / name)
        (run / name).symlink_to(outside, target_is_directory=True)

    return attack


def each(names: tuple[str, ...], make: Callable[[Path], object]) -> Attack:
    """Return an attack that puts something else in place of each of some files."""

    def attack(run: Path, outside: Path) -> None:
        for name in names:
            put(name, make)(run, outside)

    return attack


def links(names: tuple[str, ...]) -> Attack:
    def attack(run: Path, outside: Path) -> None:
        each(names, lambda path: path.symlink_to(outside / path.name))(run, outside)

    return attack


def put(name: str, make: Callable[[Path], object]) -> Attack:
    """Return an attack that puts something else in place of a file."""

    def attack(run: Path, outside: Path) -> None:
        (run / name).unlink(missing_ok=True)
        make(run / name)

    return attack


def make_socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.fchdir(here)
    os.close(here)


def to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(size: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def run_file(**changes: object) -> Attack:
    """Return an attack that changes run.json and gives it a check that is right."""

    def attack(run: Path, outside: Path) -> None:
        values = json.loads((run / "run.json").read_text())
        del values["check"]
        values |= changes
        (run / "run.json").write_text(json.dumps({**values, "check": check_of(values)}))

    return attack


def lines(name: str, *items: dict[str, object]) -> Attack:
    """Return an attack that writes lines with checks that are right."""

    def attack(run: Path, outside: Path) -> None:
        with (run / name).open("w") as file:
            for item in items:
                check = f"{zlib.crc32(json.dumps(item, sort_keys=True).encode()):08x}"
                file.write(json.dumps({**item, "check": check}, sort_keys=True) + "\n")

    return attack


def structure(change: Callable[[dict], object]) -> Attack:
    """Return an attack that changes the document of structure.h5."""
    return document("structure.h5", change)


def trigger(**changes: object) -> dict[str, object]:
    return {"iteration": 1, "kind": "loss", "layer": "", "filters": [0], "score": 1.0, "times": 2.0, **changes}


def document(name: str, change: Callable[[dict], object]) -> Attack:
    def attack(run: Path, outside: Path) -> None:
        file, byte = SealedFile(run / name), np.dtype("|u1")
        size = file.length("/document", byte, 1 << 20)
        values = json.loads(file.read("/document", byte, (size,), (slice(None),)).tobytes())
        targets = file.read("/targets", np.dtype("<u2"), (6,), (slice(None),)) if file.has("/targets") else None
        file.close()
        changed = change(values)
        text = changed if isinstance(changed, bytes) else json.dumps(values).encode()
        arrays = {"/document": np.frombuffer(text, np.uint8)}
        write_small_file(run / name, arrays if targets is None else {**arrays, "/targets": targets})

    return attack


def layer(index: int, *shape: int) -> dict[str, object]:
    return {"index": index, "name": f"l{index}", "kind": "Linear", "shape": shape, "first_filter": 0, "aliases": []}


ROOT = [{"index": 0, "name": "", "kind": "Net", "parent": -1, "layers": [0]}]


def many_layers(values: dict) -> bytes:
    one = json.dumps(layer(0, 1)).encode()
    return b'{"run": "", "layers": [' + (one + b",") * 999_999 + one + b"]}"


def hostile_names(values: dict) -> None:
    for item in (*values["layers"], *values["modules"]):
        item |= {"name": HOSTILE + item["name"], "kind": HOSTILE}
    values["classes"] = [HOSTILE] * 4
    values["metadata"] |= {
        "name": HOSTILE,
        "created": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "hyperparameters": {HOSTILE: HOSTILE},
        "notes": [{"iteration": HOSTILE, HOSTILE: [HOSTILE, {"deep": [HOSTILE]}]}, {"iteration": 1e308, "kind": None}],
    }


def repeated_marks(run: Path, outside: Path) -> None:
    """A journal of nothing but beginnings of frames."""
    (run / "journal" / "records-0000000032.dtj").write_bytes(b"dtJ1" * (1 << 20))


def false_frames(run: Path, outside: Path) -> None:
    """A journal of right headers, each of which promises the rest of the file."""
    token = run_token(json.loads((run / "run.json").read_text())["run"])
    header = encode_header(FORMAT_VERSION, Stream.RECORDS, token, 4 << 20, 32, 999_999, 1)
    (run / "journal" / "records-0000000032.dtj").write_bytes(header * 20_000 + bytes(4 << 20))


def odd_names(run: Path, outside: Path) -> None:
    for folder in (run, run / "parts", run / "journal"):
        for name in (b"\x1b[31mred", b"a\nb.h5", b"\xff\xfe.dtj", b"-rf", b"records-0000000000-0000000001.h5\x1b"):
            (os.fsencode(folder) + b"/" + name).decode(errors="surrogateescape")
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(b"x")


def deep_folders(run: Path, outside: Path) -> None:
    place = run / "parts"
    for _ in range(200):
        place /= "d"
    place.mkdir(parents=True)


def join(iteration: int, *hole: int, lines: int = 0) -> dict[str, object]:
    superseded = {name: list(hole) for name in ("records", "validations", "watches")}
    return {"iteration": iteration, "superseded": superseded, "lines": {"gaps.jsonl": lines, "triggers.jsonl": lines}}


def logged(iteration: int = 7, /, **values: object) -> dict[str, object]:
    return {"iteration": iteration, "values": values}


MANY_JOINS = [join(10**6 - at, 2 * at, 2 * at + 1, lines=at) for at in range(5_500)]
"""As many as fit into the largest run.json that is read, without two that touch."""


def many_joins_and_gaps(run: Path, outside: Path) -> None:
    many_gaps(run, outside)
    run_file(joins=MANY_JOINS)(run, outside)


def many_gaps(run: Path, outside: Path) -> None:
    item = {"first": 1, "last": 2, "stream": "records", "reason": HOSTILE}
    lines("gaps.jsonl", *[item] * 5_000)(run, outside)


def many_names(run: Path, outside: Path) -> None:
    found = (logged(at, **{f"{at}-{n}": 1.0 for n in range(2_000)}) for at in range(30))
    lines("logged.jsonl", *found)(run, outside)


def many_values(run: Path, outside: Path) -> None:
    lines("logged.jsonl", *(logged(at, loss=1.0) for at in range(20_000)))(run, outside)


FOLDER_ATTACKS: dict[str, Attack] = {
    **{f"{name}/ is a link": link_folder(name) for name in ("parts", "journal")},
    **{f"{names[0]} is a link": links(names) for names in FILES},
    **{
        f"{names[0]} is {what}": each(names, make)
        for what, make in (
            ("a pipe", os.mkfifo),
            ("a folder", Path.mkdir),
            ("a socket", make_socket),
            ("a device", to_zeros),
            ("a terabyte", sparse(1 << 40)),
        )
        for names in FILES
    },
    "parts is a file": lambda run, outside: (shutil.rmtree(run / "parts"), (run / "parts").write_text("x")),
    "journal is a pipe": lambda run, outside: (shutil.rmtree(run / "journal"), os.mkfifo(run / "journal")),
    "run.json: deep": put("run.json", lambda path: path.write_bytes(b'{"format":' * 200_000)),
    "run.json: long": put("run.json", lambda path: path.write_bytes(b'{"a": "' + b"x" * (32 << 20) + b'"}')),
    "run.json: infinite": run_file(format=float("inf")),
    "run.json: huge numbers": run_file(writer={"pid": 10**4000, "host": "", "boot": "", "started": 1e308}),
    "run.json: infinite process": run_file(writer={"pid": float("inf"), "host": "", "boot": "", "started": 0}),
    "run.json: counts are a list": run_file(counts=[1, 2]),
    "run.json: counts are huge": run_file(closed="done", counts={"records": 10**4000, "validations": -(10**30)}),
    "run.json: counts are text": run_file(counts={"records": HOSTILE}),
    "run.json: text": run_file(closed="crashed", reason=HOSTILE),
    "run.json: odd end": run_file(closed=[HOSTILE]),
    "run.json: joins are text": run_file(joins=HOSTILE),
    "run.json: a join of text": run_file(joins=[{"iteration": HOSTILE, "superseded": {HOSTILE: HOSTILE}, "lines": {}}]),
    "run.json: huge hole": run_file(joins=[join(0, 0, 10**18), join(5, 3, 10**4000)]),
    "run.json: negative hole": run_file(joins=[join(0, -5, 10)]),
    "run.json: hole that runs back": run_file(joins=[join(0, 10, 5)]),
    "run.json: overlapping holes": run_file(
        joins=[join(90, 5, 20), join(80, 10, 36), join(300, 0, 12), join(7, 34, 99)]
    ),
    "run.json: join at infinity": run_file(joins=[join(float("inf"), 0, 5)]),  # type: ignore[arg-type]
    "run.json: more joins than fit": run_file(joins=MANY_JOINS * 8),
    "run.json: as many joins as fit, and gaps": many_joins_and_gaps,
    "gaps: text": lines("gaps.jsonl", {"first": 1, "last": 2, "stream": "records", "reason": HOSTILE}),
    "gaps: huge numbers": lines("gaps.jsonl", {"first": 1, "last": 10**4000, "stream": "records", "reason": ""}),
    "gaps: backwards": lines("gaps.jsonl", {"first": -5, "last": -9, "stream": "records", "reason": ""}),
    "gaps: no text": lines("gaps.jsonl", {"first": 1, "last": 2, "stream": ["records"], "reason": {"a": 1}}),
    "gaps: many": many_gaps,
    "gaps: deep": put("gaps.jsonl", lambda path: path.write_bytes(b"[" * 1_000_000 + b"\n")),
    "gaps: a line of lists": put("gaps.jsonl", lambda path: path.write_bytes(b"[" + b"[]," * (5 << 20) + b"1]\n")),
    "triggers: text": lines("triggers.jsonl", trigger(layer=HOSTILE), trigger(kind=HOSTILE), trigger(score=HOSTILE)),
    "triggers: huge numbers": lines(
        "triggers.jsonl",
        trigger(iteration=10**4000),
        trigger(filters=[10**4000, -1, 10**12]),
        trigger(score=10**4000, times=float("inf")),
    ),
    "logged: text": lines(
        "logged.jsonl", logged(**{HOSTILE: 0.5, "loss": HOSTILE}), logged(loss=[1]), logged(**{HOSTILE: 1})
    ),
    "logged: huge numbers": lines(
        "logged.jsonl", logged(10**4000, loss=1), logged(loss=10**4000), logged(-5, loss=1), logged(loss=float("inf"))
    ),
    "logged: unsorted": lines("logged.jsonl", *(logged(at * 7919 % 400, loss=float(at)) for at in range(500))),
    "logged: far away": lines("logged.jsonl", logged((1 << 62) - 1, loss=1.0)),
    "logged: no text": lines("logged.jsonl", {"iteration": [1], "values": "a"}, {"iteration": True, "values": {}}, {}),
    "logged: deep": put("logged.jsonl", lambda path: path.write_bytes(b"[" * 1_000_000 + b"\n")),
    "logged: many names": many_names,
    "logged: many values": many_values,
    "triage: text": lines(
        "triage.jsonl",
        {"what": HOSTILE, "status": HOSTILE, "note": HOSTILE, "who": HOSTILE, "when": HOSTILE},
        {"what": "class-left-0-100-gained", "status": HOSTILE, "note": HOSTILE},
        {"what": "class-right-0-20-lost", "status": "flagged", "note": HOSTILE},
    ),
    "triage: no text": lines("triage.jsonl", {"what": ["a"], "status": 1e308, "note": {"a": [1]}}),
    "structure: text": structure(hostile_names),
    "images: text": document("images.h5", lambda v: v.update(classes=[HOSTILE] * 4, ids=[HOSTILE] * 6)),
    "structure: deep": structure(lambda _: b'{"layers":' * 500_000),
    "structure: lists": structure(lambda _: b'{"layers":[' + b"[]," * (30 << 20) + b"1]}"),
    "structure: a million layers": structure(many_layers),
    "structure: 20 million filters": structure(lambda v: v.update(layers=[layer(0, 20_000_000)], modules=ROOT)),
    "structure: too many filters": structure(lambda v: v.update(layers=[layer(0, 10**15)], modules=[])),
    "structure: huge shape": structure(lambda v: v.update(layers=[layer(0, 1, *[10**18] * 3)], modules=ROOT)),
    "structure: many axes": structure(lambda v: v.update(layers=[layer(0, *[1] * 100_000)], modules=[])),
    "structure: huge period": structure(lambda v: v["metadata"].update(every=10**4000)),
    "structure: no period": structure(lambda v: v["metadata"].update(every=0)),
    "structure: infinite period": structure(lambda v: v["metadata"].update(every=float("inf"))),
    "structure: huge keep_around": structure(lambda v: v["metadata"].update(keep_around=10**4000)),
    "structure: odd notes": structure(lambda v: v["metadata"].update(notes=[{"iteration": 10**4000, "kind": []}])),
    "structure: odd edges": structure(lambda v: v.update(edges=[["\x1b[2J", "../../etc/passwd"]])),
    "marks without frames": repeated_marks,
    "frames without ends": false_frames,
    "names": odd_names,
    "deep folders": deep_folders,
}

TEXTS = tuple(name for name in FOLDER_ATTACKS if name.endswith(": text"))
"""What puts hostile text wherever a run holds text."""


def hostile_run(folder: Path) -> Path:
    """Make a run with a text that is a command wherever a run holds one, beside a folder that must stay as it is."""
    made = Recording(folder / "run")
    made.append(36)
    made.compact()
    made.close()
    fill_outside(folder / "outside")
    for name in TEXTS:
        FOLDER_ATTACKS[name](made.path, folder / "outside")
    return made.path
