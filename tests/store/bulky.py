"""Packed runs of few bytes that hold very much."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dtui.model import ImageSet, Layer, Module, RunMetadata, RunStatus, Structure
from dtui.store.disk.seal import Seal
from dtui.store.disk.sealed_builder import SealedFileBuilder
from dtui.store.format.contents import FORMAT_VERSION, contents_of_today
from dtui.store.format.documents import encode_document, images_document, run_document
from dtui.store.format.part_arrays import part_nodes
from dtui.store.format.schema import LINE_FILES, Sizes, Stream
from dtui.store.read.packed_run import PackedDocument, PackedStream

RUN = "r" * 32
STRUCTURE = Structure((Layer(0, "fc", "Linear", (1, 2), 0),), (Module(0, "", "Net", -1, (0,)),))
IMAGES = ImageSet(("only",), np.zeros(1, np.uint16), ("first",))
METADATA = RunMetadata("bulky", "2026-01-01T00:00:00+00:00", 1, False, {}, {}, ())
HELD = ("/filters/mean", "/filters/std", "/filters/nonfinite", "/layers/weights", "/scalars", "/validation/label")


def write_bulky(path: Path, stream: Stream, frames: int) -> None:
    """Write a packed run with so many frames of zeros, and a byte for each beside them: fewer bytes are refused."""
    builder = SealedFileBuilder(path, kind=Seal.PACKED)
    builder.add("/structure/document", run_document(RUN, STRUCTURE, METADATA, IMAGES.classes, contents_of_today()))
    builder.add("/images/document", images_document(RUN, IMAGES))
    builder.add("/images/targets", IMAGES.targets)
    names = [] if stream is Stream.VALIDATIONS else ["loss"]
    head = {"run": RUN, "stream": str(stream), "first": 0, "stop": frames, "scalars": names}
    builder.add(f"/{stream}/document", encode_document(head))
    builder.add(f"/{stream}/iterations", np.arange(frames, dtype="<i8"))
    for node in part_nodes(
        stream, Sizes.of(STRUCTURE, contents_of_today()).with_images(IMAGES), len(names), frames
    ).values():
        if node.path in HELD:
            builder.create(f"/{stream}{node.path}", node.dtype, (*node.rows, frames), (*node.chunk, 1 << 16))
            builder.write(f"/{stream}{node.path}", (slice(None),), np.zeros((*node.rows, frames), node.dtype))
    builder.add("/ballast", np.random.default_rng(0).integers(0, 256, frames).astype(np.uint8))
    lines: dict[str, list[dict[str, object]]] = {name: [] for name in LINE_FILES}
    said = PackedDocument(
        RUN, RunStatus.DONE, "", True, {stream: PackedStream(frames, {})}, lines, [], [], FORMAT_VERSION
    )
    builder.add("/document", said.encode())
    builder.seal()
    builder.publish()
