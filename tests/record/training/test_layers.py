"""Which layers a network has, under which names, in which modules, joined how."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.overrides import BaseTorchFunctionMode, _get_current_function_mode_stack

from dtui.model import FILTER_STATISTICS, Structure
from dtui.record import RecorderWarning
from dtui.record.network.graph import GraphTracer
from dtui.record.network.hooks import QuietHook
from dtui.record.network.layers import describe, find_layers, place, unwrap
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.networks import DenseBlock, DenseNet, Inception, MobileNet, ResNet50, Tied, Vgg

Make = Callable[..., RecorderUnderTest]


def structure_of(model: nn.Module, *inputs: torch.Tensor) -> Structure:
    tracer = GraphTracer(model)
    model(*inputs)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    return describe(unwrap(model), place(find_layers(model)), tracer.edges)


def children(structure: Structure, name: str) -> list[str]:
    index = next(module.index for module in structure.modules if module.name == name)
    return [module.name for module in structure.modules if module.parent == index]


def into(structure: Structure, node: str) -> set[str]:
    return {edge.source for edge in structure.edges if edge.target == node}


def test_resnet50_has_a_stem_four_stages_of_bottlenecks_and_a_classifier() -> None:
    structure = structure_of(ResNet50(), torch.zeros(2, 3, 32, 32))
    assert len(structure.layers) == 54
    assert structure.layers[0].name == "conv1"
    assert structure.layers[-1].name == "fc"
    assert children(structure, "") == ["layer1", "layer2", "layer3", "layer4"]
    assert [len(children(structure, f"layer{stage}")) for stage in range(1, 5)] == [3, 4, 6, 3]
    block = next(module for module in structure.modules if module.name == "layer1.0")
    assert block.kind == "Bottleneck"
    assert [structure.layers[index].name for index in block.layers] == [
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer1.0.conv3",
        "layer1.0.downsample.0",
    ]
    assert structure.modules[0].name == ""
    assert structure.modules[0].layers == tuple(range(54))
    rows = [(layer.first_filter, layer.filters) for layer in structure.layers]
    assert all(first + count == following for (first, count), (following, _) in itertools.pairwise(rows))


def test_the_graph_of_a_residual_network_shows_its_sums() -> None:
    structure = structure_of(ResNet50(), torch.zeros(2, 3, 32, 32))
    joins = {edge.target for edge in structure.edges if edge.target.partition("#")[0].endswith("/add")}
    assert len(joins) == 16
    assert into(structure, "layer1.0/add") == {"layer1.0.bn3", "layer1.0.downsample.1"}
    assert into(structure, "layer1.1/add") == {"layer1.1.bn3", "layer1.0.relu#3"}
    assert into(structure, "output") == {"fc"}


def test_the_graph_of_an_inception_block_shows_its_branches_and_where_they_join() -> None:
    structure = structure_of(Inception(), torch.zeros(1, 3, 16, 16))
    assert into(structure, "mixed/cat") == {"mixed.branch1x1.bn", "mixed.branch5x5_2.bn", "mixed.branch_pool.bn"}
    assert into(structure, "mixed.branch_pool.conv") == into(structure, "mixed.branch1x1.conv") == {"stem.bn"}
    assert into(structure, "mixed.branch5x5_2.conv") == {"mixed.branch5x5_1.bn"}
    assert into(structure, "fc") == {"mixed/cat"}


def test_the_graph_of_a_dense_block_joins_ever_more() -> None:
    structure = structure_of(nn.Sequential(DenseBlock()), torch.zeros(1, 3, 8, 8))
    assert into(structure, "0/cat#2") == {"input", "0.layers.0", "0.layers.1"}
    assert into(structure, "0/cat#3") == {"input", "0.layers.0", "0.layers.1", "0.layers.2"}


def test_vgg_is_a_chain_in_two_modules() -> None:
    structure = structure_of(Vgg(), torch.zeros(1, 3, 16, 16))
    assert children(structure, "") == ["features", "classifier"]
    assert [layer.shape for layer in structure.layers if layer.name.startswith("features")] == [
        (4, 3, 3, 3), (4, 4, 3, 3), (6, 4, 3, 3), (6, 6, 3, 3),
    ]  # fmt: skip
    node, chain = "output", []
    while node != "input":
        (node,) = into(structure, node)
        chain.append(node)
    assert len(chain) == 4 + 4 + 2 + 6 + 1
    assert [name for name in reversed(chain) if name in {layer.name for layer in structure.layers}] == [
        layer.name for layer in structure.layers
    ]


def test_densenet_joins_all_layers_before_in_each_of_its_blocks() -> None:
    structure = structure_of(DenseNet(), torch.zeros(1, 3, 8, 8))
    assert children(structure, "") == ["block1", "transition1", "block2"]
    assert children(structure, "block1") == ["block1.0", "block1.1", "block1.2"]
    assert into(structure, "block1.2/cat") == {"conv0", "block1.0.conv2", "block1.1.conv2"}
    assert into(structure, "transition1.0") == {"cat"}
    assert into(structure, "cat") == {"conv0", "block1.0.conv2", "block1.1.conv2", "block1.2.conv2"}
    assert into(structure, "block2.1/cat") == {"transition1.3", "block2.0.conv2"}


def test_mobilenet_has_depthwise_filters_of_one_channel_and_shortcuts_where_shapes_agree() -> None:
    structure = structure_of(MobileNet(), torch.zeros(1, 3, 8, 8))
    assert children(structure, "blocks") == ["blocks.0", "blocks.1", "blocks.2"]
    shapes = {layer.name: layer.shape for layer in structure.layers}
    assert shapes["blocks.1.depthwise"] == (6, 1, 3, 3)
    assert shapes["blocks.1.pointwise"] == (10, 6, 1, 1)
    assert into(structure, "blocks.0/add") == {"stem", "blocks.0.pointwise"}
    assert into(structure, "blocks.2/add") == {"blocks.1.pointwise", "blocks.2.pointwise"}
    assert not into(structure, "blocks.1/add")


def test_a_tensor_that_lends_its_shape_is_no_source() -> None:
    class Levit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.linear(x)
            return self.norm(y.flatten(0, 1)).reshape_as(y)

    structure = structure_of(Levit(), torch.zeros(2, 3, 4))
    assert {(edge.source, edge.target) for edge in structure.edges} == {
        ("input", "linear"), ("linear", "norm"), ("norm", "output"),
    }  # fmt: skip


def test_a_network_that_is_never_called_itself_is_traced_part_by_part() -> None:
    """As in a GAN, or a student beside its teacher: what joins the parts stands in the script."""
    pair = nn.ModuleDict({"G": nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "D": nn.Linear(4, 1)})
    tracer = GraphTracer(pair)
    pair["D"](pair["G"](torch.zeros(2, 4)))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in pair.modules())
    assert [(edge.source, edge.target) for edge in tracer.edges] == [
        ("G/input", "G.0"), ("G.0", "G.1"), ("G.1", "G/output"), ("D/input", "D"), ("D", "D/output"),
    ]  # fmt: skip
    assert tracer.followers.after("G.0") == "relu"
    assert tracer.was_trained


def test_shared_weights_are_one_layer_with_aliases() -> None:
    structure = structure_of(Tied(), torch.zeros(2, 3, dtype=torch.long))
    assert [(layer.name, layer.aliases) for layer in structure.layers] == [("block", ("again",)), ("head", ("embed",))]
    assert into(structure, "block#2") == {"block"}


def test_a_traced_forward_pass_gives_what_an_untraced_one_gives() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(ResNet50(), nn.Dropout())
    images = torch.randn(2, 3, 32, 32)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    wanted = model(images)
    after, generator = model.state_dict(), torch.get_rng_state()
    after = {name: value.clone() for name, value in after.items()}
    model.load_state_dict(state)
    tracer = GraphTracer(model)
    torch.manual_seed(1)
    assert torch.equal(model(images), wanted)
    assert tracer.edges
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, after[name]) for name, value in model.state_dict().items())


def test_a_first_forward_pass_that_fails_fails_as_it_would_and_the_next_one_is_traced() -> None:
    """Whoever catches that memory ran out, to try a smaller batch, has to get that error."""
    model = small_net()
    tracer = GraphTracer(model)
    theirs = model.register_forward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        model(torch.zeros(1, 1, 20, 20))
    assert _get_current_function_mode_stack() == []
    model(torch.zeros(1, 1, 8, 8))
    assert [edge.target for edge in tracer.edges][-1] == "output"
    theirs.remove()
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


class Interrupting(nn.Module):
    """Stands for the moment in which somebody presses Ctrl-C."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.times -= 1
        if self.times >= 0:
            raise KeyboardInterrupt
        return x * 2


@pytest.mark.parametrize("then", ["closes", "goes on", "evaluates a part"])
def test_a_first_forward_pass_that_is_interrupted_leaves_no_mode_behind(record: Make, then: str) -> None:
    """Torch calls no hook on a KeyboardInterrupt; a notebook goes on after it."""
    model = nn.Sequential(small_net(), Interrupting())
    recorder = record(model, every=1)
    with pytest.raises(KeyboardInterrupt):
        model(torch.zeros(2, 1, 8, 8))
    with BaseTorchFunctionMode() as own:
        if then == "closes":
            recorder.close()
        else:
            (model if then == "goes on" else model[0])(torch.zeros(2, 1, 8, 8))
        assert _get_current_function_mode_stack() == [own]
    recorder.step()
    recorder.close()
    assert _get_current_function_mode_stack() == []
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    assert bool(recorder.store.structure.edges) == (then == "goes on")


def test_a_broken_tracer_leaves_the_forward_pass_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_net()
    images = torch.randn(2, 1, 8, 8)
    wanted = model(images)
    tracer = GraphTracer(model)
    monkeypatch.setattr("dtui.record.network.graph._Trace._sources", lambda self, values: 1 / 0)
    assert torch.equal(model(images), wanted)
    assert all(edge.target == "output" for edge in tracer.edges)


def test_wrappers_do_not_show_in_names() -> None:
    model = nn.Module()
    model.module = nn.Sequential(nn.Linear(3, 2))
    model.body = torch.compile(nn.Sequential(nn.Linear(2, 2)))
    model.parallel = nn.DataParallel(nn.Sequential(nn.Linear(2, 2)))
    names = [probe.name for probe in find_layers(nn.DataParallel(model))]
    assert names == ["module.0", "body.0", "parallel.0"]


def test_a_bare_layer_has_a_name() -> None:
    structure = structure_of(nn.Linear(3, 2), torch.zeros(1, 3))
    assert [layer.name for layer in structure.layers] == ["Linear"]
    assert [module.name for module in structure.modules] == [""]


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (parametrizations.weight_norm, "weight norm"),
        (parametrizations.spectral_norm, "spectral norm"),
        (torch.nn.utils.weight_norm, "old weight norm"),
        (torch.nn.utils.spectral_norm, "old spectral norm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parametrized_weights_are_recorded_as_the_network_uses_them(record: Make, wrap: Callable, name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(wrap(nn.Conv2d(1, 4, 3)), nn.Flatten(), nn.Linear(144, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(3, 1, 8, 8)).square().sum().backward()
        buffers = [buffer.clone() for buffer in model.buffers()]
        optimizer.step()
        assert all(torch.equal(one, other) for one, other in zip(buffers, model.buffers(), strict=True))
        assert all(module.training for module in model.modules())
    model.eval()
    model(torch.zeros(1, 1, 8, 8))
    recorder.close()
    assert [layer.kind for layer in recorder.store.structure.layers] == ["Conv2d", "Linear"]
    found = recorder.store.records[-1].filters[FILTER_STATISTICS.index("norm"), :4]
    assert found.tolist() == pytest.approx(model[0].weight.flatten(1).norm(dim=1).tolist(), rel=1e-5)


def test_lazy_layers_are_found_at_the_first_record(record: Make) -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
    recorder = record(model, every=1)
    model(torch.zeros(1, 1, 8, 8))
    recorder.step()
    recorder.close()
    assert [layer.shape for layer in recorder.store.structure.layers] == [(4, 1, 3, 3), (3, 144)]


def test_a_replaced_layer_of_the_same_shape_goes_on_and_another_is_told(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    recorder.step()
    model[0] = nn.Conv2d(1, 4, 3, padding=1)
    recorder.step()
    model[4] = nn.Linear(54, 5)
    with pytest.warns(RecorderWarning, match=r"layer 4 \(3, 54\): now \(5, 54\)"):
        recorder.step()
    recorder.close()
    norms = [record.filters[FILTER_STATISTICS.index("norm")] for record in recorder.store.records]
    assert norms[1][:4].tolist() == pytest.approx(model[0].weight.flatten(1).norm(dim=1).tolist(), rel=1e-5)
    assert torch.isnan(torch.from_numpy(norms[2][10:])).all()
    assert not torch.isnan(torch.from_numpy(norms[2][:10])).any()


def test_layers_added_later_are_told_and_left_out(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    recorder.step()
    model.append(nn.Linear(3, 3))
    with pytest.warns(RecorderWarning, match="layer 5: added after recording began"):
        recorder.step()
    recorder.close()
    assert len(recorder.store.records) == 2


def test_a_compiled_model_is_compiled_once_and_not_traced() -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(small_net(), backend=backend)
    tracer = GraphTracer(compiled)
    compiled(torch.zeros(2, 1, 8, 8))
    tracer.detach()
    compiled(torch.zeros(2, 1, 8, 8))
    assert len(graphs) == 1
    assert tracer.edges == ()


def test_a_module_that_knows_its_parent_is_walked_once() -> None:
    model = small_net()
    model[0].parent = model
    assert [probe.name for probe in find_layers(model)] == ["0", "2", "4"]


def test_the_copy_of_a_hook_does_nothing() -> None:
    calls = []
    hook = QuietHook(lambda *arguments: calls.append(arguments))
    copy.deepcopy(hook)(1)
    pickle.loads(pickle.dumps(hook))(1)
    hook(2)
    assert calls == [(2,)]
    QuietHook(lambda: 1 / 0)()


def test_weights_without_elements_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(0, 3), nn.Linear(3, 2))
    assert [probe.name for probe in place(find_layers(model))] == ["1"]
