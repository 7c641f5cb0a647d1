"""Finds the graph of a network during one real forward pass of the training.

Owns the map from tensors to the modules that made them; `followers` has what is done with each module's output. It runs
no forward pass itself, so no random number is drawn and no buffer changes. The graph is optional: after any failure it
is empty, and the training continues.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _len_torch_function_stack
from torch.overrides import TorchFunctionMode, _pop_mode, _push_mode
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakTensorKeyDictionary

from dtui.model import Edge
from dtui.record.network.followers import Followers
from dtui.record.network.hooks import QuietHook
from dtui.record.network.layers import unwrap, walk

_PASSED_OVER = {"__get__", "__set__", "size", "dim", "numel", "stride", "is_floating_point"}
_LIKE = {"view_as", "reshape_as", "expand_as", "type_as"}
"""What of their second input is used is its shape or type alone."""
MOST_EDGES = 50_000


class GraphTracer:
    """Waits for the first forward pass of a network and keeps its edges.

    A network that is never called itself, as a dict of a generator and a discriminator, is traced part by part. Each
    part then has an input and an output of its own, for what joins them stands in the script.
    """

    def __init__(self, model: nn.Module) -> None:
        """Arm the tracer; `detach` disarms it. A compiled model gets no hooks: they would recompile it."""
        is_compiled = any(
            "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
            for module in model.modules()
        )
        root = unwrap(model)
        names = {id(module): name for name, module in reversed(list(walk(root)))}
        self._passes = [] if is_compiled else [_FirstPass(part, names) for part in _called(root)]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges of all passes that were seen."""
        return tuple(edge for one in self._passes for edge in one.edges)

    @property
    def followers(self) -> Followers:
        """What follows each module in them."""
        return Followers.of_all(one.followers for one in self._passes)

    @property
    def was_trained(self) -> bool:
        """Whether a pass that was seen was one of a training."""
        return any(one.was_trained for one in self._passes)

    def detach(self) -> None:
        """Remove every hook, and stop a trace whose forward pass was interrupted."""
        for one in self._passes:
            one.detach()

    def retire(self) -> None:
        """Stop waiting for a forward pass.

        Hooks that were never called stay until `detach`: if a compiler has seen them, removing them would make it
        compile the network again.
        """
        for one in self._passes:
            one.retire()


def _called(root: nn.Module) -> list[nn.Module]:
    """Return what a training calls: the network, or the parts of one that has no forward pass of its own."""
    if type(root).forward is not nn.Module.forward or isinstance(root, nn.ModuleList):
        return [root]
    return [called for child in root.children() for called in _called(unwrap(child))]


class _FirstPass:
    """The first forward pass of one module."""

    def __init__(self, root: nn.Module, names: Mapping[int, str]) -> None:
        """Wait for it; `names` are those of the network's modules, by their id."""
        self._root = weakref.ref(root)
        self._names = names
        self._trace: _Trace | None = None
        self._is_retired = False
        self.edges: tuple[Edge, ...] = ()
        self.was_trained = False
        self.followers = Followers()
        self._handles: list[RemovableHandle] = [
            root.register_forward_pre_hook(QuietHook(self._begin), with_kwargs=True),
            root.register_forward_hook(QuietHook(self._end), with_kwargs=True, always_call=True),
        ]

    def detach(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._trace is not None:
            self._trace.stop()
            self._trace = None

    def retire(self) -> None:
        if self.edges or self._trace is not None:
            self.detach()
        self._is_retired = True

    def _begin(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if module is not self._root() or self._is_retired:
            return
        if self._trace is not None:
            if self._trace.is_running():
                return
            self._trace.stop()  # Ctrl-C: torch calls no hook on what is no Exception
        self.was_trained = module.training and torch.is_grad_enabled()
        self._trace = _Trace(module, self._names)
        self._trace.start((args, kwargs), sys._getframe(2))

    def _end(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        trace = self._trace
        if module is not self._root() or trace is None:
            return
        trace.stop()
        self._trace = None
        self.edges = trace.finish(output)
        self.followers = trace.followers
        # Where the pass has failed, torch walks through these hooks now, and the next pass may be whole.
        if output is not None:
            self.detach()


class _Trace(TorchFunctionMode):
    """The trace of one forward pass: the node that each tensor came from."""

    def __init__(self, root: nn.Module, names: Mapping[int, str]) -> None:
        super().__init__()
        self._names = names
        self._root = root
        self._part = names.get(id(root), "")
        self._origin = WeakTensorKeyDictionary()
        self._edges: dict[tuple[str, str], None] = {}
        self.followers = Followers()
        self._used: dict[str, int] = {}
        self._inside: list[str] = []
        self._leaf: tuple[nn.Module, list[str]] | None = None
        self._handles: list[RemovableHandle] = []
        self._entered = False
        self._forward: FrameType | None = None

    def start(self, inputs: Any, forward: FrameType) -> None:
        """Watch every module from now on; `forward` is the Python frame of the forward pass."""
        self._forward = forward
        for module in self._root.modules():
            if module is not self._root:
                self._handles.append(module.register_forward_pre_hook(QuietHook(self._enter_module), with_kwargs=True))
                hook = QuietHook(self._leave_module)
                self._handles.append(module.register_forward_hook(hook, with_kwargs=True, always_call=True))
        self._mark(inputs, self._within("input"))
        self.__enter__()  # type: ignore[no-untyped-call]
        self._entered = True

    def is_running(self) -> bool:
        """Whether the calling code runs inside the traced forward pass."""
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame is not self._forward:
            frame = frame.f_back
        return frame is not None

    def stop(self) -> None:
        """Stop watching."""
        if self._entered:
            _leave(self)
            self._entered = False
        self._forward = None
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def finish(self, output: Any) -> tuple[Edge, ...]:
        """Return the edges, with the output as the last node."""
        leaves = tuple(output.values()) if hasattr(output, "values") and not isinstance(output, Tensor) else output
        if self._part and _is_leaf(self._root):
            self._connect([self._within("input")], self._part)
            self._mark(leaves, self._part)
        self._connect(self._sources(leaves), self._within("output"))
        return tuple(Edge(source, target) for source, target in self._edges)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if self._leaf is None and name not in _PASSED_OVER:
            with suppress(Exception):
                self._follow(name, args[:1] if name in _LIKE else (args, kwargs), result)
        return result

    def _follow(self, name: str, inputs: Any, result: Any) -> None:
        self.followers.used(name.strip("_"), inputs, result)
        sources = self._sources(inputs)
        if not sources or not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return
        if len(sources) == 1:
            self._mark(result, sources[0])
            return
        node = self._node(self._within(name.strip("_")))
        self._connect(sources, node)
        self._mark(result, node)

    def _enter_module(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not self.is_running():
            self.stop()
        if self._leaf is not None or not self._entered:
            return
        if _is_leaf(module):
            self._leaf = (module, self._sources((args, kwargs)))
        else:
            self._inside.append(self._names.get(id(module), ""))

    def _leave_module(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self._entered:
            return
        if self._leaf is None:
            if self._inside and not _is_leaf(module):
                self._inside.pop()
            return
        leaf, sources = self._leaf
        if leaf is not module:
            return
        self._leaf = None
        name = self._names.get(id(module), type(module).__name__)
        self.followers.passed(name, module, (args, kwargs), output)
        if isinstance(module, nn.Identity) and len(sources) == 1:
            self._mark(output, sources[0])
            return
        node = self._node(name)
        self._connect(sources, node)
        self._mark(output, node)

    def _within(self, name: str) -> str:
        """Return the name of something that is no module, behind the module that it is in."""
        place = self._inside[-1] if self._inside else self._part
        return f"{place}/{name}" if place else name

    def _node(self, name: str) -> str:
        times = self._used[name] = self._used.get(name, 0) + 1
        return name if times == 1 else f"{name}#{times}"

    def _connect(self, sources: Iterable[str], target: str) -> None:
        for source in sources:
            if len(self._edges) < MOST_EDGES:
                self._edges[source, target] = None

    def _sources(self, values: Any) -> list[str]:
        found: dict[str, None] = {}
        for leaf in tree_leaves(values):
            if isinstance(leaf, Tensor):
                origin = self._origin.get(leaf)  # type: ignore[no-untyped-call]
                if origin is not None:
                    found[origin] = None
        return list(found)

    def _mark(self, values: Any, node: str) -> None:
        for leaf in tree_leaves(values):
            if isinstance(leaf, Tensor):
                self._origin[leaf] = node


def _leave(mode: TorchFunctionMode) -> None:
    """Remove one mode from the stack of this thread; its `__exit__` would remove whichever mode is on top."""
    above = []
    while _len_torch_function_stack():
        top = _pop_mode()  # type: ignore[no-untyped-call]
        if top is mode:
            break
        above.append(top)
    for other in reversed(above):
        _push_mode(other)  # type: ignore[no-untyped-call]


def _is_leaf(module: nn.Module) -> bool:
    """Whether a module is one node: it has no children, or they only implement its own operation."""
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase) or hasattr(module, "parametrizations"):
        return True
    return next(module.children(), None) is None
