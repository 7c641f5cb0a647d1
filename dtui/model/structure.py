"""The structure of a run: the network's modules, layers and filters, and the validation images."""

from __future__ import annotations

from dataclasses import field

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import LabelArray
from dtui.model.columns import Column
from dtui.model.coverage import Coverage
from dtui.model.judging import Judging


@dataclass(frozen=True, slots=True)
class Layer:
    """A module that owns recorded weights.

    Attributes:
        index: Position among the layers, in `named_modules` order.
        name: Dotted module name; data from outside.
        kind: Class name of the module, such as "Conv2d" or "Linear".
        shape: Shape of the weight with filters first, such as (64, 3, 7, 7).
        first_filter: Row of its filter 0 on the flat filter axis of the whole run.
        aliases: Other names under which the same weight is reachable.
    """

    index: int
    name: str
    kind: str
    shape: tuple[int, ...]
    first_filter: int
    aliases: tuple[str, ...] = ()

    @property
    def filters(self) -> int:
        """Number of filters."""
        return self.shape[0]

    @property
    def filter_rows(self) -> slice:
        """Its rows on the flat filter axis."""
        return slice(self.first_filter, self.first_filter + self.filters)


@dataclass(frozen=True, slots=True)
class Module:
    """A container in the module tree that holds at least one layer; the root has index 0 and the name "".

    Attributes:
        index: Position among the modules, parents before children.
        name: Dotted module name; data from outside.
        kind: Class name of the module.
        parent: Index of the parent module, -1 for the root.
        layers: Indices of all layers below it, at any depth, ascending.
    """

    index: int
    name: str
    kind: str
    parent: int
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor that flows from one graph node to the next; nodes are module names or operations at a join."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class NormLayer:
    """A normalisation layer: one row of the statistics of norms.

    Attributes:
        name: Dotted module name; data from outside.
        kind: Class name of the module, such as "BatchNorm2d" or "LayerNorm"; data from outside.
        channels: Number of its scales, or of its means and variances, > 0.
        layer: Name of the layer whose outputs it normalises: the nearest layer before it in the graph or, without a
            graph, the last layer before it among the modules; "" if there is none. Data from outside.
    """

    name: str
    kind: str
    channels: int
    layer: str = ""


MOST_CHANNELS = 65_536
"""Channels of normalisation layers that a run has a row for: 16 bytes each in a record."""
MOST_OTHER_PARAMETERS = 1_024
"""Parameters outside the layers that a run has a row for, the largest ones."""


@dataclass(frozen=True, slots=True)
class OtherParameter:
    """A parameter outside the recorded layers: one row of the statistics of parameters.

    Attributes:
        name: Dotted; data from outside.
        kind: Class name of the module that owns it; data from outside.
        elements: Their number, > 0.
        layer: Name of the layer that it belongs to or follows: that whose bias it is, else as of a NormLayer; "" if
            there is none. Data from outside.
    """

    name: str
    kind: str
    elements: int
    layer: str = ""


HEAD_PARTS = ("query", "key", "value", "output")
"""What the heads of a layer make of an attention."""


@dataclass(frozen=True, slots=True)
class HeadGroup:
    """The heads of an attention that a layer makes, each a stretch of its filters; or, of an output, of its inputs.

    Attributes:
        layer: Index of the layer.
        part: Of HEAD_PARTS.
        first: First filter of head 0, within the layer.
        step: From the first filter of a head to that of the next, >= size.
        size: Filters of a head, >= 1.
        count: Number of heads, >= 1.
        of_inputs: Whether these are inputs of the layer, so that every filter belongs to all heads.
    """

    layer: int
    part: str
    first: int
    step: int
    size: int
    count: int
    of_inputs: bool = False

    def filters_of(self, head: int) -> slice:
        """Return the filters of a head within the layer; of an output its inputs."""
        first = self.first + head * self.step
        return slice(first, first + self.size)


LORA = "LoRA"
"""The kind of adapter that is measured."""
MOST_ADAPTERS = 16_384
"""Adapters that a run has a row for."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A small change that is learned beside a weight: one row of the statistics of adapters.

    Attributes:
        name: Dotted name of the module that it changes; data from outside.
        adapter: Its own name, such as "default"; data from outside.
        kind: LORA, or of what dtui does not measure what it is, such as "DoRA"; data from outside.
        rank: Its rank; 0 where it has none.
        scale: What its product BA was multiplied by when recording began.
        base: Name of the recorded layer whose weight it changes; "" where that weight is not recorded.
        layers: Names of the recorded layers that it is made of.
    """

    name: str
    adapter: str
    kind: str
    rank: int
    scale: float
    base: str = ""
    layers: tuple[str, ...] = ()

    @property
    def layer(self) -> str:
        """Name of the layer behind which it is shown; "" for none."""
        return self.base or next(iter(self.layers), "")

    @property
    def is_measured(self) -> bool:
        """Whether dtui measures adapters of this kind."""
        return self.kind == LORA


@dataclass(frozen=True, slots=True)
class Trained:
    """Which parts of a network were set to be trained when recording began.

    Attributes:
        parameters: Elements of all parameters that require a gradient, each parameter once.
        frozen: Indices of the layers without such a parameter, ascending.
    """

    parameters: int
    frozen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ActivationPlace:
    """Where the activations of a layer's filters are read in a validation.

    Attributes:
        of: Name of the module whose outputs are read: the layer, the normalisation layer that alone follows it, or the
            attention or recurrent module that it is part of; data from outside. "" where it has no activations.
        then: The activation function that alone follows it, such as "relu" or "gelu"; "" where another operation
            follows, or several, or where that is not known. Where it has no activations: why, in a few words.
    """

    of: str
    then: str = ""

    @property
    def lacking(self) -> str:
        """Why the layer has no activations; "" if it has."""
        return "" if self.of else self.then or "not known"

    @property
    def has_zeros(self) -> bool:
        """Whether what is not above zero becomes zero, so that a filter can be silent."""
        return bool(self.of) and self.then in ("relu", "relu6")


@dataclass(frozen=True, slots=True)
class Structure:
    """The network of a run: fixed once recording has begun.

    Attributes:
        layers: In storage order; their filter rows follow each other without holes.
        modules: Parents before children; the first is the root.
        edges: The module graph of one forward pass; empty when it was not traced.
        coverage: How much of the network is recorded; None where that is not known, as in older runs.
        norms: The normalisation layers that are measured, in `named_modules` order.
        trained: Which parts were set to be trained; None where that is not known, as in older runs.
        activations: Of each layer where its activations are read; empty where they are not recorded.
        parameters: The parameters outside the layers that are measured, in `named_parameters` order.
        heads: The attention heads that layers make, by layer.
        adapters: The adapters beside weights, in the order of the network.
        groups: Of each layer its number of groups; empty where the run does not say.
        channel_norms: Places in `norms`, ascending, of the layers whose channels have rows.
    """

    layers: tuple[Layer, ...]
    modules: tuple[Module, ...]
    edges: tuple[Edge, ...] = ()
    coverage: Coverage | None = None
    norms: tuple[NormLayer, ...] = ()
    trained: Trained | None = None
    activations: tuple[ActivationPlace, ...] = ()
    parameters: tuple[OtherParameter, ...] = ()
    heads: tuple[HeadGroup, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    groups: tuple[int, ...] = ()
    channel_norms: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Number of rows of channels, at most MOST_CHANNELS."""
        return sum(self.norms[place].channels for place in self.channel_norms)

    @property
    def filters(self) -> int:
        """Number of filters in all layers."""
        return sum(layer.filters for layer in self.layers)


@dataclass(frozen=True, eq=False, slots=True)
class ImageSet:
    """The tracked validation images, sorted by class.

    Attributes:
        classes: Names in label order, at most 65,535; data from outside.
        targets: The true label of each image, shape (images,), uint16, ascending.
        ids: The id under which each image is known outside, such as its data set index; data from outside.
        thumbnails: Encoded PNG or JPEG bytes of each image; empty if the run has no thumbnails; an empty item for an
            image without one.
        columns: What each validation holds beside labels and confidences.
        judging: What decides whether an image is right, in a run that `Recorder.judge` judges; None where its largest
            class score does.
    """

    classes: tuple[str, ...]
    targets: LabelArray
    ids: tuple[str, ...]
    thumbnails: tuple[bytes, ...] = field(default=(), repr=False)
    columns: tuple[Column, ...] = ()
    judging: Judging | None = None
