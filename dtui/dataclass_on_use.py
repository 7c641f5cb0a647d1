"""Dataclasses whose methods are written when they are first used, not where the class is defined.

`dataclasses.dataclass` writes up to six methods as text and compiles them, and makes a class with slots twice: half a
millisecond a class, and for all that a viewer imports half the time that a bare Textual app takes to paint. Of most
classes no instance is made before the first screen is there, and most of the methods are never called.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, eq: bool = True, slots: bool = False
    ) -> type | Callable[[type], type]:
        """Do what `dataclasses.dataclass` does, later.

        Args:
            cls: The class; None where arguments are given.
            frozen: Whether its attributes are set once.
            eq: Whether two of it with the same values are equal.
            slots: For the type checker, which allows no other attributes then. The class gets no `__slots__`.
        """
        return (lambda cls: _prepare(cls, frozen, eq)) if cls is None else _prepare(cls, frozen, eq)


_WRITTEN: dict[str, dict[str, bool]] = {
    "__init__": {"init": True},
    "__repr__": {"repr": True},
    "__eq__": {"eq": True},
    "__hash__": {"unsafe_hash": True},
    "__match_args__": {"match_args": True},
    "__dataclass_fields__": {},
    "__dataclass_params__": {"init": True, "repr": True, "eq": True},
}
"""What is written, and the arguments that have `dataclasses.dataclass` write it."""
_SAYS_FROZEN = "__dataclass_params__"
_NOTHING = {"init": False, "repr": False, "eq": False, "match_args": False}
_BODIES: WeakKeyDictionary[type, Mapping[str, Any]] = WeakKeyDictionary()
"""What each class says of its fields."""
_REQUIRED = object()
"""Stands for no default."""


class _Unwritten:
    """Stands in a class for something that is written when somebody asks for it.

    Two threads may ask at once: both write the same, and until then the name leads here.
    """

    __slots__ = ("_cls", "_frozen", "_name")

    def __init__(self, name: str, cls: type, frozen: bool) -> None:
        self._name, self._cls, self._frozen = name, cls, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        """Write it, in its own place."""
        value = self._of_fields() or self._of_twin()
        setattr(self._cls, self._name, value)
        return value.__get__(instance, owner) if hasattr(value, "__get__") else value

    def _of_fields(self) -> Callable[..., Any] | None:
        """Return the method if it follows from plain fields, in a fraction of the time that `dataclasses` takes."""
        write = _METHODS.get(self._name)
        fields = None if write is None else _plain_fields(self._cls)
        return None if write is None or fields is None else _named(write(self._cls, fields), self._name, self._cls)

    def _of_twin(self) -> Any:
        """Return what `dataclasses` writes for a class of the same fields."""
        from dataclasses import dataclass

        cls = self._cls
        above = tuple(base for base in cls.__bases__ if hasattr(base, "__dataclass_fields__"))
        is_frozen = self._frozen and (bool(above) or self._name == _SAYS_FROZEN)  # four times as long, if it is
        options = {**_NOTHING, **_WRITTEN[self._name], "frozen": is_frozen}
        body: dict[str, Any] = {**_BODIES[cls], "__qualname__": cls.__qualname__, "__doc__": "A twin."}
        if hasattr(cls, "__post_init__"):
            body["__post_init__"] = None  # the class's own is called, but only if the twin has one
        twin: type = dataclass(**options)(type(cls.__name__, above, body))
        return vars(twin)[self._name]


def _prepare(cls: Any, frozen: bool, eq: bool) -> type:
    own, fields = dict(vars(cls)), cls.__annotations__  # its own; from Python 3.14 on, they are not in its dictionary
    _BODIES[cls] = {"__annotations__": fields} | {name: own[name] for name in ("__module__", *fields) if name in own}
    left_out = {*own, *(() if eq else ("__eq__",)), *(() if eq and frozen else ("__hash__",))}
    for name in _WRITTEN.keys() - left_out:
        setattr(cls, name, _Unwritten(name, cls, frozen))
    if frozen:
        cls.__setattr__, cls.__delattr__ = _set_once, _refuse_deleting
    elif eq and "__hash__" not in own:
        cls.__hash__ = None
    for name in fields:
        if type(own.get(name)).__module__ == "dataclasses":
            _set_default(cls, name, own[name])
    return cls  # type: ignore[no-any-return]


def _plain_fields(cls: type) -> dict[str, Any] | None:
    """Return the fields of a class and their defaults, or None where one is of a rare kind."""
    fields: dict[str, Any] = {}
    for one in reversed(cls.__mro__):
        if one not in _BODIES and "__dataclass_fields__" in vars(one):
            return None
        body = _BODIES.get(one, {})
        kinds = {name: str(kind) for name, kind in body.get("__annotations__", {}).items()}
        if any("InitVar" in kind or "KW_ONLY" in kind for kind in kinds.values()):
            return None
        fields |= {name: body.get(name, _REQUIRED) for name, kind in kinds.items() if "ClassVar" not in kind}
    return fields


def _init(cls: type, fields: Mapping[str, Any]) -> Callable[..., None] | None:
    """Return the `__init__` that `dataclasses` would write, or None where it is of a rare kind.

    It sets all fields of an instance at once, not one attribute after the other, which a frozen class would look at.
    """
    known: dict[str, Any] = {"_required": _REQUIRED}
    parameters, values = ["self"], list[str]()
    for name, default in fields.items():
        value = name
        if _is_described(default):
            if not default.init or default.kw_only is True:
                return None
            if callable(default.default_factory):
                known[f"_make_{name}"], default = default.default_factory, _REQUIRED
                value = f"_make_{name}() if {name} is _required else {name}"
                parameters.append(f"{name}=_required")
            else:
                default = _REQUIRED if type(default.default).__module__ == "dataclasses" else default.default
        if value == name:
            known[f"_of_{name}"] = default
            parameters.append(name if default is _REQUIRED else f"{name}=_of_{name}")
        values.append(f"{name!r}: {value}")
    after = "; self.__post_init__()" if hasattr(cls, "__post_init__") else ""
    text = f"def __init__({', '.join(parameters)}): self.__dict__.update({{{', '.join(values)}}}){after}"
    exec(text, known)
    init: Callable[..., None] = known["__init__"]
    return init


def _eq(_: type, fields: Mapping[str, Any]) -> Callable[[Any, object], bool]:
    """Return the `__eq__` that `dataclasses` would write: of the same class, and equal as tuples are."""
    values = _values([name for name, default in fields.items() if not _is_described(default) or default.compare])

    def equals(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return equals


def _hash(_: type, fields: Mapping[str, Any]) -> Callable[[Any], int]:
    """Return the `__hash__` that `dataclasses` would write: that of the tuple of what is compared."""
    described = {name: default for name, default in fields.items() if _is_described(default)}
    left_out = {name for name, one in described.items() if not (one.compare if one.hash is None else one.hash)}
    values = _values([name for name in fields if name not in left_out])
    return lambda self: hash(values(self))


_METHODS: dict[str, Callable[[type, Mapping[str, Any]], Callable[..., Any] | None]] = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
}
"""What is written here; None of it means that only `dataclasses` can."""


def _values(names: Sequence[str]) -> Callable[[object], object]:
    """Return what finds the values of an instance's fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda self: (getattr(self, names[0]),)) if names else lambda self: ()


def _is_described(default: object) -> bool:
    """Whether a default is what `dataclasses.field` returned."""
    return type(default).__module__ == "dataclasses"


def _named(method: Callable[..., Any] | None, name: str, cls: type) -> Callable[..., Any] | None:
    """Give a method the names that it has in a class."""
    if method is not None:
        method.__name__, method.__qualname__, method.__module__ = name, f"{cls.__qualname__}.{name}", cls.__module__
    return method


def _set_default(cls: type, name: str, field: Any) -> None:
    """Put the default of a field where the field stands."""
    from dataclasses import MISSING

    if field.default is MISSING:
        delattr(cls, name)
    else:
        setattr(cls, name, field.default)


def _set_once(self: Any, name: str, value: object) -> None:
    """Set an attribute of an instance: each field once, as `__init__` does, and nothing else."""
    values, cls = self.__dict__, self.__class__
    if name in values or name not in _field_names(cls):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    values[name] = value


@cache
def _field_names(cls: type) -> frozenset[str]:
    given = [item for one in cls.__mro__ for item in getattr(one, "__annotations__", {}).items()]
    return frozenset(name for name, kind in given if "ClassVar" not in str(kind))


def _refuse_deleting(self: object, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")
