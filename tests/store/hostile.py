"""HDF5 files as an attacker would write them: sealed like ours, with what ours never hold."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dtui.store.disk import hdf5
from dtui.store.disk.seal import append_seal

tables = hdf5.tables


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.marker), "w")


def reseal(path: Path) -> None:
    """Give a foreign HDF5 file a seal that is right, as anyone can compute it."""
    append_seal(path, [])


def unseal(path: Path) -> None:
    """Cut the seal off, so that the file can be changed and sealed again."""
    from dtui.store.disk.seal import _TRAILER

    data = path.read_bytes()
    size = _TRAILER.unpack(data[-_TRAILER.size :])[1]
    path.write_bytes(data[:size])


def attribute_bomb(where: str, name: str) -> Callable[[Path, Path], None]:
    """Return an attack that leaves a pickle in an attribute, as PyTables stores one: a string."""

    def attack(path: Path, marker: Path) -> None:
        with tables.open_file(str(path), "a") as file:
            node = file.get_node(where) if where in file else file.create_group("/", where[1:])
            node._v_attrs._g_setattr(node, name, np.array(pickle.dumps(Bomb(marker), 0)))

    return attack


def edit(change: Callable[[object], None]) -> Callable[[Path, Path], None]:
    """Return an attack that changes the file through PyTables."""

    def attack(path: Path, marker: Path) -> None:
        with tables.open_file(str(path), "a") as file:
            change(file)

    return attack


def object_array(file: object) -> None:
    """Replace an array by one whose rows are pickles."""
    file.remove_node("/iterations")  # type: ignore[attr-defined]
    bomb = file.create_vlarray("/", "iterations", atom=tables.VLUnicodeAtom())  # type: ignore[attr-defined]
    bomb.append("x")


def external_link(file: object) -> None:
    file.remove_node("/filters/std")  # type: ignore[attr-defined]
    file.create_external_link("/filters", "std", "/etc/passwd:/x")  # type: ignore[attr-defined]


def external_group(file: object) -> None:
    file.remove_node("/filters", recursive=True)  # type: ignore[attr-defined]
    file.create_external_link("/", "filters", "outside.h5:/filters")  # type: ignore[attr-defined]


def soft_link(file: object) -> None:
    file.remove_node("/filters/std")  # type: ignore[attr-defined]
    file.create_soft_link("/filters", "std", "/filters/mean")  # type: ignore[attr-defined]


def huge_shape(file: object) -> None:
    file.remove_node("/filters/std")  # type: ignore[attr-defined]
    file.create_carray("/filters", "std", tables.Float32Atom(), (1 << 20, 1 << 20), chunkshape=(64, 64))  # type: ignore[attr-defined]


def huge_chunk(file: object) -> None:
    file.remove_node("/document")  # type: ignore[attr-defined]
    file.create_carray("/", "document", tables.UInt8Atom(), (1 << 40,), chunkshape=(1 << 30,))  # type: ignore[attr-defined]


def contiguous(file: object) -> None:
    file.remove_node("/filters/std")  # type: ignore[attr-defined]
    file.create_array("/filters", "std", np.zeros((12, 32), np.float32))  # type: ignore[attr-defined]


def wrong_type(file: object) -> None:
    file.remove_node("/filters/std")  # type: ignore[attr-defined]
    file.create_carray("/filters", "std", obj=np.zeros((12, 32), np.float64), chunkshape=(12, 32))  # type: ignore[attr-defined]


def table_instead(file: object) -> None:
    file.remove_node("/iterations")  # type: ignore[attr-defined]
    file.create_table("/", "iterations", np.zeros(32, [("a", "i8")]))  # type: ignore[attr-defined]


def deep_tree(file: object) -> None:
    path = "/"
    for depth in range(200):
        file.create_group(path, f"g{depth}")  # type: ignore[attr-defined]
        path = f"{path.rstrip('/')}/g{depth}"


def odd_names(file: object) -> None:
    for name in ("..", "\x1b[31m", "a b", "_v_attrs"):
        file.create_group("/", name) if name not in ("_v_attrs",) else None  # type: ignore[attr-defined]


ATTACKS: dict[str, Callable[[Path, Path], None]] = {
    **{
        f"pickle in {name} of {where}": attribute_bomb(where, name)
        for where in ("/", "/filters", "/iterations", "/filters/std", "/document", "/scalars")
        for name in (
            "TITLE",
            "CLASS",
            "VERSION",
            "FILTERS",
            "anything",
            "FLAVOR",
            "PSEUDOATOM",
            "PYTABLES_FORMAT_VERSION",
        )
    },
    "object array": edit(object_array),
    "external link": edit(external_link),
    "external group": edit(external_group),
    "soft link": edit(soft_link),
    "huge shape": edit(huge_shape),
    "huge chunk": edit(huge_chunk),
    "contiguous": edit(contiguous),
    "wrong type": edit(wrong_type),
    "table": edit(table_instead),
    "deep tree": edit(deep_tree),
    "odd names": edit(odd_names),
}
