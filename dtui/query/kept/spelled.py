"""Spells frozen values of the model as JSON, and reads them back, which come from outside then: each field is checked.

Owns which types a kept value may have: those that `_as` knows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from dtui.model import ByteArray

Value = TypeVar("Value")
_NUMBERS = ("<i8", "<f4", "<f8")


def spelled(values: Sequence[object]) -> ByteArray:
    """Return frozen dataclasses as bytes, shape (n,)."""
    return np.frombuffer(json.dumps(_plain(values), separators=(",", ":")).encode(), np.uint8)


def read_as(kind: type[Value], text: ByteArray) -> tuple[Value, ...]:
    """Return values of one dataclass from their bytes, which come from outside.

    Raises:
        ValueError: They are no such values.
    """
    try:
        found: tuple[Value, ...] = _as(tuple[kind, ...], json.loads(text.tobytes()))  # type: ignore[valid-type]
    except (TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.tolist()]
    return value.item() if isinstance(value, np.generic) else value


def _as(kind: Any, value: Any) -> Any:
    """Return a value of JSON as a type; a ValueError or TypeError if it is none."""
    origin, inner = _origin(kind), get_args(kind)
    if origin in (UnionType, Union):  # from Python 3.14 on, they are one
        return None if value is None else _as(next(one for one in inner if one is not NoneType), value)
    if origin is tuple:
        every = (inner[0],) * len(value) if inner[-1] is ... else inner
        return tuple(_as(one, part) for one, part in zip(every, _list(value), strict=True))
    if origin is np.ndarray:
        return _array(*_list(value))
    if hasattr(kind, "__dataclass_fields__"):
        return kind(*(_as(one, part) for one, part in zip(_types(kind), _list(value), strict=True)))
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _origin(kind: Any) -> Any:
    """Return what a type was made of; that of what an alias stands for, as NumPy's `NDArray` is from 2.5 on."""
    origin = get_origin(kind)
    return get_origin(origin.__value__) if hasattr(origin, "__value__") else origin


@cache
def _types(kind: Any) -> tuple[Any, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in fields(kind))


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError("no list")
    return value


def _array(kind: Any, values: Any) -> np.ndarray[Any, Any]:
    """Return a row of numbers."""
    if kind not in _NUMBERS or any(type(one) not in (int, float) for one in _list(values)):
        raise ValueError("no row of numbers")
    array = np.array(values, kind)
    array.flags.writeable = False
    return array
