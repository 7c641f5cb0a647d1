"""What a run is on disk, told in lines from files that this dtui writes, in any format that it writes.

Owns what "the format" is to a test: every file, frame, array and key that a reader may rely on, and none of what may
change under it: chunks, compression, how many frames a part has. `python -m tests.truth.run_format` writes the golden
file of the format of today anew. A run of format 1 is written only where one goes on; its golden file never changes.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dtui.store.format.part_arrays
from dtui.model import CHANGE_RATIO_EDGES, Coverage, Gap, Trigger, Unrecorded
from dtui.store import FORMAT_VERSION, RunReader, RunWriter, pack_run
from dtui.store.disk.hdf5 import tables
from dtui.store.disk.seal import _RANGE, _TRAILER
from dtui.store.format.contents import FORMAT_1, Contents, contents
from dtui.store.format.frames import FRAME_HEADER, frame_fields
from dtui.store.format.joins import Join
from dtui.store.format.schema import Sizes, Stream
from dtui.store.run.run_file import RunFile
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.folding import fold

LISTS = (FORMAT_1.sources, tuple(FORMAT_1.filters.values()), tuple(FORMAT_1.layers.values()))
HELD = {1: FORMAT_1, 2: contents(2, *LISTS)}
"""What the run of each format holds: a statistic more or less is no other format from 2 on."""


def golden(version: int) -> Path:
    """Return the file that says what a format is."""
    return Path(__file__).with_name(f"format-{version}.txt")


def format_lines(version: int) -> list[str]:
    """Return a format as lines, each a fact of its own."""
    held = HELD[version]
    axes = {
        "filters": tuple(held.filters),
        "layers, modules: source": held.sources,
        "layers, modules: statistic": tuple(held.layers),
        "change_ratios": CHANGE_RATIO_EDGES,
    }
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            dtui.store.format.part_arrays, "LEAST_BINNED", 32
        )  # a part with a coarse level, without a thousand records
        path, packed = _record(Path(folder), held)
        sizes = Sizes.of(STRUCTURE, held).with_images(IMAGES)
        lines = [f"{name} axis: {' '.join(map(str, values))}" for name, values in axes.items()]
        for file in sorted(found for found in path.rglob("*") if found.is_file()):
            lines += _file_lines(file, file.relative_to(path).as_posix(), sizes)
        return [*lines, *_file_lines(packed, "packed.h5", sizes)]


def _record(folder: Path, held: Contents) -> tuple[Path, Path]:
    """Write a run with everything that there can be in one: parts, journals, and all that is beside them."""
    structure = replace(STRUCTURE, coverage=Coverage(100, 90, 1, (Unrecorded("fc.bias", "Linear", 10),)))
    writer = RunWriter(folder / "run", structure, METADATA, classes=IMAGES.classes, compact=False, contents=held)
    writer.set_images(IMAGES)
    for position in range(40):
        writer.append_record(make_record(position))
        writer.append_watch(make_record(position))
        writer.append_validation(make_validation(position))
    writer.append_gap(Gap(401, 402, "records", "a reason"))
    writer.append_trigger(Trigger(5, "filter", "fc", (1,), 2.5, 1.5))
    writer.append_logged(7, {"val_acc": 0.5})
    fold(writer.path)
    writer.close()
    run_file = RunFile.read(writer.path)
    join = Join(400, {"records": (40, 40)}, {"gaps.jsonl": 1})
    replace(run_file, joins=(join,)).write(writer.path)
    reader = RunReader(writer.path)
    reader.append_decisions([("an anomaly", "flagged", "a note")])
    reader.findings.write({"a": 1}, IMAGES.targets.astype("int64").reshape(3, 2))
    reader.close()
    pack_run(writer.path, folder / "packed.h5")
    return writer.path, folder / "packed.h5"


def _file_lines(path: Path, name: str, sizes: Sizes) -> Iterator[str]:
    if path.suffix == ".h5":
        magic = path.read_bytes()[-_TRAILER.size :][:8].decode()
        yield f"{name} seal {_TRAILER.format} {_RANGE.format} {magic}"
        with tables.open_file(str(path)) as file:
            for array in file.walk_nodes("/", "Array"):
                yield f"{name} {array._v_pathname} {_array_text(array)}"
                if array._v_name == "document":
                    yield from _json_lines(name, array._v_pathname, json.loads(array[:].tobytes()))
    elif path.suffix == ".dtj":
        yield from _frame_lines(path, name, sizes)
    elif path.suffix == ".jsonl":
        yield from _json_lines(name, "line", json.loads(path.read_text().splitlines()[0]))
    elif path.suffix == ".json":
        yield from _json_lines(name, "", json.loads(path.read_text()))
    else:
        yield name


def _array_text(array: Any) -> str:
    is_text = array._v_name == "document" or array._v_name.startswith("thumbnails")
    return f"{array.dtype.str} {'(bytes,)' if is_text else tuple(map(int, array.shape))}"


def _frame_lines(path: Path, name: str, sizes: Sizes) -> Iterator[str]:
    """Tell how the first frame of a journal is laid out, as the file has it."""
    data = path.read_bytes()
    header = struct.unpack_from(FRAME_HEADER.format, data)
    magic, version, code, zero, token, size, ordinal, iteration, *checksums = header
    run = json.loads((path.parents[1] / "run.json").read_text())["run"]
    told = (magic, version, code, zero, "token" if token == zlib.crc32(run.encode()) else "?", size, ordinal, iteration)
    yield f"{name} header {FRAME_HEADER.format}: {told}"
    payload = data[FRAME_HEADER.size :][:size]
    assert checksums == [zlib.crc32(payload), zlib.crc32(data[: FRAME_HEADER.size - 4])]
    stream = Stream(path.name.split("-")[0])
    fields = frame_fields(stream, sizes).values()
    for field in fields:
        yield f"{name} payload {field.offset}: {field.name} {field.dtype.str} {field.shape}"
    fixed = sum(field.size for field in fields)
    yield from _json_lines(name, f"payload {fixed}:", json.loads(payload[fixed:]))


def _json_lines(name: str, where: str, value: object) -> Iterator[str]:
    """Tell the keys of a document and the type of each value; of a list, its first item stands for all.

    What a run says that it holds is told in full.
    """
    if ".holds." in where and isinstance(value, list) and "statistics" not in where.rpartition(".")[2]:
        for item in value:
            told = {key: part for key, part in item.items() if key != "statistics"} if isinstance(item, dict) else item
            yield f"{name} {where}[] {json.dumps(told)}"
            for one in item["statistics"] if isinstance(item, dict) and "statistics" in item else ():
                yield f"{name} {where}[].statistics[] {json.dumps(one)}"
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _json_lines(name, f"{where}.{key}", item)
    elif isinstance(value, list) and value:
        yield from _json_lines(name, f"{where}[]", value[0])
    else:
        fact = value if where.endswith(".format") else type(value).__name__
        yield f"{name} {where} {fact}"


if __name__ == "__main__":
    golden(FORMAT_VERSION).write_text("\n".join(format_lines(FORMAT_VERSION)) + "\n", encoding="utf-8")
