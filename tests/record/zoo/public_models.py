"""Builds the public model classes of transformers at small sizes, offline, with inputs made from their configuration.

Owns how a configuration is made small: every model says its sizes in names of its own, so several ways are tried in
order, and the first with which the model can be built, is small enough, and computes a loss is taken.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

TASKS = (
    "IMAGE_CLASSIFICATION",
    "CAUSAL_LM",
    "SEQUENCE_CLASSIFICATION",
    "MASKED_LM",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "SEMANTIC_SEGMENTATION",
    "VIDEO_CLASSIFICATION",
    "AUDIO_CLASSIFICATION",
    "TOKEN_CLASSIFICATION",
)
"""Kinds of models, in the order in which they are taken; each is a mapping of transformers' `modeling_auto`."""

LARGEST = 6_000_000
"""Parameters of a model that is trained here."""
ITEMS, TOKENS, CLASSES = 2, 12, 3


class CannotBuildError(Exception):
    """A model cannot be built offline and small, with the reason."""


@dataclass(frozen=True)
class Public:
    """One public constructor: its model class and its configuration's name."""

    task: str
    kind: str
    model: str

    @property
    def name(self) -> str:
        return self.model


def public_models() -> Iterator[Public]:
    """Yield all constructors of the tasks, each class once, in a fixed order."""
    from transformers.models.auto import modeling_auto

    seen: set[str] = set()
    for task in TASKS:
        mapping = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES")
        for kind, models in sorted(mapping.items()):
            for model in (models,) if isinstance(models, str) else models:
                if model not in seen:
                    seen.add(model)
                    yield Public(task, kind, model)


# --- how a configuration is made small

SCALARS = {
    "layers": (2, ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers",
                   "num_decoder_layers", "num_encoder_layers", "num_mtp_layers")),
    "width": (32, ("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "encoder_embed_dim", "emb_dim",
                   "embedding_size", "hidden_dim", "n_embed", "word_embed_proj_dim")),
    "inner": (64, ("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "n_inner",
                   "moe_intermediate_size", "ffn_hidden_size", "ffn_hidden_dim", "shared_expert_intermediate_size")),
    "heads": (4, ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
                  "decoder_attention_heads", "num_key_value_heads", "linear_num_value_heads", "linear_num_key_heads",
                  "encoder_num_attention_heads", "decoder_num_attention_heads")),
    "head": (8, ("head_dim", "d_kv", "attention_head_size", "linear_key_head_dim", "linear_value_head_dim",
                 "v_head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "attention_head_dim")),
    "rank": (16, ("kv_lora_rank", "q_lora_rank", "index_head_dim")),
    "experts": (4, ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")),
    "vocabulary": (97, ("vocab_size", "decoder_vocab_size", "encoder_vocab_size")),
    "image": (32, ("image_size", "img_size")),
    "patch": (8, ("patch_size",)),
    "window": (4, ("window_size",)),
    "length": (64, ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")),
}  # fmt: skip
"""Sizes by what they are of: the small value, and the names under which configurations have it."""

FEW = {"num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "num_local_experts_per_tok": 2, "moe_topk": 2}
LISTS = ("hidden_sizes", "depths", "num_heads", "encoder_hidden_sizes", "neck_hidden_sizes", "embed_dims", "dims")

Way = Mapping[str, Any]
WAYS: tuple[Way, ...] = (
    {"sizes": tuple(SCALARS), "lists": 8},
    {"sizes": tuple(SCALARS), "lists": 1},
    {"sizes": tuple(name for name in SCALARS if name not in ("head", "rank")), "lists": 1},
    {"sizes": ("layers", "width", "inner", "heads", "vocabulary"), "lists": 1},
    {"sizes": ("layers", "inner", "vocabulary", "experts", "length"), "lists": 4},
    {"sizes": ("layers", "vocabulary"), "lists": 1},
    {"sizes": ("vocabulary",), "lists": 1},
)  # fmt: skip


def _shrunk(configuration: Any, way: Way, depth: int = 0) -> Any:
    """Make a configuration, and those inside it, small in one way."""
    for size in way["sizes"]:
        value, names = SCALARS[size]
        for name in names:
            found = configuration.__dict__.get(name)
            if isinstance(found, int) and not isinstance(found, bool) and found > value:
                _set(configuration, name, value)
    if "experts" in way["sizes"]:
        for name, value in FEW.items():
            if isinstance(configuration.__dict__.get(name), int):
                _set(configuration, name, value)
    for name in LISTS if way["lists"] > 1 else ():
        found = configuration.__dict__.get(name)
        if isinstance(found, list | tuple) and found and all(isinstance(one, int) for one in found):
            least = 16 if "size" in name or "dim" in name else 1
            small = [max(least, one // way["lists"] // 4 * 4 or one // way["lists"]) for one in found]
            _set(configuration, name, [min(one, 2) for one in found] if name == "depths" else small)
    _shorten_lists(configuration)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "mask_token_id"):
        found = configuration.__dict__.get(name)
        if name == "pad_token_id" or (isinstance(found, int) and found >= 97):
            _set(configuration, name, {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}.get(name, 3))
    if depth < 3:
        for part in list(configuration.__dict__.values()):
            if hasattr(part, "to_diff_dict"):
                _shrunk(part, way, depth + 1)
    return configuration


def _shorten_lists(configuration: Any) -> None:
    """Give lists with one entry a layer as many entries as there are layers."""
    layers = configuration.__dict__.get("num_hidden_layers")
    for name, found in list(configuration.__dict__.items()):
        if isinstance(layers, int) and isinstance(found, list) and len(found) > layers and "layer" in name:
            _set(configuration, name, found[:layers])


def _set(configuration: Any, name: str, value: Any) -> None:
    try:
        setattr(configuration, name, value)
    except Exception:
        return


# --- inputs


def _images(configuration: Any, size: int, draw: torch.Generator) -> dict[str, Tensor]:
    channels = getattr(configuration, "num_channels", None) or getattr(configuration, "in_chans", None) or 3
    return {"pixel_values": torch.randn(ITEMS, channels, size, size, generator=draw)}


def _vocabulary(configuration: Any) -> int:
    text = configuration.get_text_config()
    return min(getattr(text, "vocab_size", 97) or 97, getattr(configuration, "vocab_size", 97) or 97)


def candidates(public: Public, configuration: Any) -> Iterator[dict[str, Tensor]]:
    """Yield inputs that a model of this task may take, the likeliest first."""
    draw = torch.Generator().manual_seed(7)
    labels = torch.arange(ITEMS) % CLASSES
    if public.task in ("IMAGE_CLASSIFICATION", "SEMANTIC_SEGMENTATION"):
        own = getattr(configuration, "image_size", None)
        sizes = dict.fromkeys([own] if isinstance(own, int) else [64])
        for size in (*sizes, 64, 224):
            images = _images(configuration, size, draw)
            if public.task == "IMAGE_CLASSIFICATION":
                yield {**images, "labels": labels}
            else:
                yield {**images, "labels": torch.randint(0, CLASSES, (ITEMS, size, size), generator=draw)}
            yield images
        return
    if public.task == "VIDEO_CLASSIFICATION":
        size, frames = getattr(configuration, "image_size", 32), getattr(configuration, "num_frames", 8)
        yield {"pixel_values": torch.randn(ITEMS, frames, 3, size, size, generator=draw), "labels": labels}
        yield {"pixel_values_videos": torch.randn(ITEMS, frames, 3, size, size, generator=draw), "labels": labels}
        return
    if public.task == "AUDIO_CLASSIFICATION":
        yield {"input_values": torch.randn(ITEMS, 4000, generator=draw), "labels": labels}
        bins, length = getattr(configuration, "num_mel_bins", 80), getattr(configuration, "max_length", 64)
        yield {"input_features": torch.randn(ITEMS, bins, 64, generator=draw), "labels": labels}
        yield {"input_features": torch.randn(ITEMS, 64, bins, generator=draw), "labels": labels}
        yield {"input_values": torch.randn(ITEMS, length, bins, generator=draw), "labels": labels}
        return
    ids = torch.randint(4, max(5, _vocabulary(configuration)), (ITEMS, TOKENS), generator=draw)
    ends = {"SEQUENCE_CLASSIFICATION": labels, "TOKEN_CLASSIFICATION": ids % CLASSES}
    yield {"input_ids": ids, "labels": ends.get(public.task, ids)}
    if public.task == "SEQ_TO_SEQ_CAUSAL_LM":
        yield {"input_ids": ids, "decoder_input_ids": ids, "labels": ids}
    yield {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    yield {"input_ids": ids}


# --- building


@dataclass(frozen=True)
class Built:
    """A way to make a model, equal each time, and its inputs."""

    make: Callable[[], nn.Module]
    inputs: dict[str, Tensor]


def build(public: Public) -> Built:
    """Return a small model of a public class with inputs on which it computes a loss.

    Raises:
        CannotBuildError: No way leads there; the reason of the first one.
    """
    import transformers
    from transformers import AutoConfig

    kind = getattr(transformers, public.model, None)
    if kind is None or not isinstance(kind, type):
        raise CannotBuildError("not in this release, or another library is missing")
    reasons: list[str] = []
    for way in WAYS:
        try:
            plain = kind.config_class() if getattr(kind, "config_class", None) else AutoConfig.for_model(public.kind)
            configuration = _shrunk(plain, way)
            configuration.num_labels = CLASSES
            with torch.device("meta"):
                size = sum(parameter.numel() for parameter in kind(copy.deepcopy(configuration)).parameters())
            if size > LARGEST:
                reasons.append(f"{size:,} parameters")
                continue
            built = _working(kind, configuration, public)
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:90]}")
            continue
        if built is not None:
            return built
        reasons.append("no inputs fit")
    raise CannotBuildError(reasons[0])


def _working(kind: type, configuration: Any, public: Public) -> Built | None:
    def make() -> nn.Module:
        torch.manual_seed(0)
        model: nn.Module = kind(copy.deepcopy(configuration))
        return model.float().train()

    problem: Exception | None = None
    for inputs in candidates(public, configuration):
        try:
            loss_of(make(), inputs).backward()  # type: ignore[no-untyped-call]
        except Exception as error:
            problem = problem or error
            continue
        return Built(make, inputs)
    if problem is not None:
        raise problem
    return None


def loss_of(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the model's own loss, or the mean square of its first real output."""
    found = model(**inputs)
    loss = getattr(found, "loss", None)
    if isinstance(loss, Tensor) and loss.dim() == 0:
        return loss
    values = found.values() if isinstance(found, Mapping) else found if isinstance(found, tuple) else (found,)
    real = next(one for one in values if isinstance(one, Tensor) and one.is_floating_point() and one.requires_grad)
    return real.square().mean()
