"""Builds the structure of the networks that invented runs pretend to train.

Owns their layers and modules; after each convolution there is a normalisation layer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from dtui.model import Edge, Layer, Module, NormLayer, Structure


@dataclass
class _Builder:
    """Collects modules and layers in the order of `named_modules`."""

    layers: list[Layer] = field(default_factory=list)
    kinds: list[tuple[str, str]] = field(default_factory=list)
    filters: int = 0
    norms: list[NormLayer] = field(default_factory=list)

    def module(self, name: str, kind: str) -> None:
        self.kinds.append((name, kind))

    def layer(self, name: str, kind: str, shape: tuple[int, ...]) -> None:
        self.layers.append(Layer(len(self.layers), name, kind, shape, self.filters))
        self.filters += shape[0]

    def convolution(self, name: str, shape: tuple[int, ...], norm: str) -> None:
        self.layer(name, "Conv2d", shape)
        self.norms.append(NormLayer(norm, "BatchNorm2d", shape[0], name))

    def build(self) -> Structure:
        positions = {name: index for index, (name, _) in enumerate(self.kinds)}
        modules = []
        for index, (name, kind) in enumerate(self.kinds):
            below = tuple(layer.index for layer in self.layers if not name or layer.name.startswith(f"{name}."))
            parent = -1 if not name else positions[name.rpartition(".")[0]]
            modules.append(Module(index, name, kind, parent, below))
        order = [layer.name for layer in self.layers if ".downsample." not in layer.name]
        edges = tuple(Edge(source, target) for source, target in itertools.pairwise(order))
        return Structure(tuple(self.layers), tuple(modules), edges, norms=tuple(self.norms))


def resnet50() -> Structure:
    """Return ResNet-50: 54 layers, 27,560 filters, 16 bottlenecks in 4 stages."""
    builder = _Builder()
    builder.module("", "ResNet")
    builder.convolution("conv1", (64, 3, 7, 7), "bn1")
    channels = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        builder.module(f"layer{stage}", "Sequential")
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            builder.module(name, "Bottleneck")
            builder.convolution(f"{name}.conv1", (width, channels, 1, 1), f"{name}.bn1")
            builder.convolution(f"{name}.conv2", (width, width, 3, 3), f"{name}.bn2")
            builder.convolution(f"{name}.conv3", (4 * width, width, 1, 1), f"{name}.bn3")
            if block == 0:
                builder.module(f"{name}.downsample", "Sequential")
                builder.convolution(f"{name}.downsample.0", (4 * width, channels, 1, 1), f"{name}.downsample.1")
            channels = 4 * width
    builder.layer("fc", "Linear", (1000, channels))
    return builder.build()


def resnet20() -> Structure:
    """Return a small ResNet for 32 × 32 pixels: 8 layers, 250 filters, one block a stage."""
    builder = _Builder()
    builder.module("", "ResNet")
    builder.convolution("conv1", (16, 3, 3, 3), "bn1")
    channels = 16
    for stage, width in enumerate((16, 32, 64), start=1):
        builder.module(f"layer{stage}", "Sequential")
        builder.module(f"layer{stage}.0", "BasicBlock")
        for number, inputs in ((1, channels), (2, width)):
            name = f"layer{stage}.0"
            builder.convolution(f"{name}.conv{number}", (width, inputs, 3, 3), f"{name}.bn{number}")
        channels = width
    builder.layer("fc", "Linear", (10, channels))
    return builder.build()
