"""Dataclasses whose methods are written late: they do what those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    kind: ClassVar[str] = "place"
    x: int
    y: int = 2
    names: list[str] = field(default_factory=list)
    hidden: int = field(default=7, repr=False, compare=False)


@dataclass(frozen=True)
class Point3(Point):
    """A place in space."""

    z: int = 3


@dataclass
class Counter:
    """Something that changes."""

    count: int = 0
    double: int = field(init=False)

    def __post_init__(self) -> None:
        self.double = 2 * self.count


@dataclass(frozen=True)
class Share:
    """A number that is looked at when it is set."""

    unit: ClassVar[str] = "share"
    value: float
    name: str = "it"

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(self.value)


@dataclass(slots=True)
class Empty:
    """It has nothing."""


@dataclass(frozen=True, eq=False)
class Thing:
    """Equal to itself alone."""

    values: list[int]

    def __repr__(self) -> str:
        return "a thing"


def test_an_instance_is_as_one_of_the_standard_library() -> None:
    point = Point(1, names=["a"])
    assert (point.x, point.y, point.names, point.hidden, Point.y, Point.kind) == (1, 2, ["a"], 7, 2, "place")
    assert repr(point) == "Point(x=1, y=2, names=['a'])"
    assert point == Point(1, 2, ["a"], hidden=8) != Point(2)
    assert point != (1, 2, ["a"])
    assert [one.name for one in fields(Point)] == ["x", "y", "names", "hidden"]
    assert asdict(replace(point, x=5)) == {"x": 5, "y": 2, "names": ["a"], "hidden": 7}
    assert not hasattr(Point, "names"), "its default is made anew for each"
    assert Point(1).names is not Point(1).names
    assert list(inspect.signature(Point).parameters) == ["x", "y", "names", "hidden"]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]


def test_what_is_frozen_stays_as_it_is() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x  # type: ignore[misc]
    for name in ("other", "kind"):
        with pytest.raises(FrozenInstanceError):
            setattr(point, name, 2)


def test_what_is_not_frozen_changes_and_has_no_hash() -> None:
    counter = Counter(2)
    counter.count = 5
    assert (counter.count, counter.double) == (5, 4)
    assert counter != Counter(5)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


@dataclass(frozen=True)
class Hashed:
    """It has values that have a hash."""

    a: int
    b: str = ""


def test_one_may_look_at_what_it_was_given() -> None:
    assert (Share(0.5).value, Share(0.5).unit, Share(name="x", value=1)) == (0.5, "share", Share(1, "x"))
    with pytest.raises(ValueError, match="2"):
        Share(2)
    with pytest.raises(TypeError, match=r"Share.__init__\(\) got an unexpected keyword argument 'unit'"):
        Share(1, unit="x")  # type: ignore[call-arg]
    assert Empty() == Empty()
    nothing = float("nan")
    assert Hashed(nothing) == Hashed(nothing) != Hashed(float("nan")), "as tuples are compared"  # type: ignore[arg-type]


def test_equal_ones_have_the_same_hash_unless_told_otherwise() -> None:
    assert hash(Hashed(1)) == hash(Hashed(1, "")) == hash((1, ""))
    one = Thing([1])
    assert one == one
    assert one != Thing([1])
    assert {one: 1}[one] == 1
    assert repr(one) == "a thing"


@pytest.mark.parametrize("make", [dataclass, dataclasses.dataclass], ids=["ours", "of the standard library"])
def test_a_field_says_whether_it_is_compared_and_hashed(make: Any) -> None:
    @make(frozen=True)
    class Told:
        a: int
        b: int = field(default=0, hash=False)
        c: int = field(default=0, compare=False)
        d: int = field(default=0, compare=False, hash=True)

    @make(frozen=True)
    class Told2(Told):
        pass

    for one in (Told, Told2):
        assert one(1, c=2, d=3) == one(1) != one(1, b=2)
        assert hash(one(1, 2, 3, 4)) == hash((1, 4))
        assert one(1).__eq__(1) is NotImplemented
        assert (one.__eq__.__qualname__, one.__hash__.__module__) == (f"{one.__qualname__}.__eq__", __name__)
    assert Told(1) != Told2(1)


def test_one_on_top_of_another_has_the_fields_of_both() -> None:
    assert Point3(1, z=4) == Point3(1, 2, [], 7, 4)
    assert Point3(1) != Point(1)
    assert repr(Point3(1)) == "Point3(x=1, y=2, names=[], z=3)"
    std = dataclasses.dataclass(frozen=True)(type("Std", (Hashed,), {"__annotations__": {"c": int}, "c": 1}))
    assert [one.name for one in fields(std)] == ["a", "b", "c"]


@pytest.mark.parametrize("first", ["one == one", "repr(one)", "hash(one)", "one.a", "dataclasses.replace(one, b='c')"])
def test_one_that_came_from_elsewhere_is_whole(first: str) -> None:
    """Pickle and copy make no use of `__init__`, so that anything may be the first thing that is asked of a class."""
    program = f"""
import copy, dataclasses, pickle
from dtui.dataclass_on_use import dataclass
@dataclass(frozen=True, slots=True)
class Hashed:
    a: int
    b: str = ""
one = Hashed.__new__(Hashed)
one.__dict__.update(a=1, b="x")
{first}
assert one == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == Hashed(1, "x")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert copy.copy(Hashed(1)) == pickle.loads(pickle.dumps(Hashed(1)))


def test_a_pattern_knows_the_order_of_its_fields() -> None:
    match Hashed(1, "x"):
        case Hashed(number, text):
            assert (number, text) == (1, "x")
        case _:
            pytest.fail("no match")


@dataclass(frozen=True)
class Rare:
    """It has fields of rare kinds."""

    a: int
    extra: dataclasses.InitVar[int] = 0
    made: list[int] = field(default_factory=list, kw_only=True)

    def __post_init__(self, extra: int) -> None:
        self.made.append(extra)


def test_fields_of_rare_kinds_are_made_as_the_standard_library_makes_them() -> None:
    one = Rare(1, 7, made=[3])
    assert (one.a, one.made) == (1, [3, 7])
    with pytest.raises(TypeError, match="positional"):
        Rare(1, 7, [3])  # type: ignore[misc]

    @dataclass(frozen=True)
    class Behind(dataclasses.make_dataclass("Std", [("a", int)], frozen=True)):  # type: ignore[misc]
        b: int = 2

    assert (Behind(1).a, Behind(1).b) == (1, 2)


def test_names_of_fields_may_be_any() -> None:
    @dataclass(frozen=True)
    class Names:
        values: int
        known: int = 2
        object: Any = field(default_factory=dict)
        type: str = ""

    one = Names(1)
    assert (one.values, one.known, one.object, one.type) == (1, 2, {}, "")
    with pytest.raises(FrozenInstanceError):
        one.values = 2  # type: ignore[misc]


def test_threads_that_meet_at_a_new_class_each_get_theirs() -> None:
    found: list[Any] = []
    for _ in range(20):

        @dataclass(frozen=True)
        class New:
            a: int
            b: int = 2

        barrier = Barrier(4)

        def make(new: Any = New, barrier: Barrier = barrier) -> None:
            barrier.wait()
            found.append((new(1) == new(1, 2), repr(new(1)).partition("(")[2]))

        threads = [Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [(True, "a=1, b=2)")] * 80


def test_a_class_costs_nothing_until_it_is_used() -> None:
    program = """
import sys
from dtui.dataclass_on_use import dataclass
@dataclass(frozen=True, slots=True)
class Hashed:
    a: int
print("dataclasses" in sys.modules, "inspect" in sys.modules)
Hashed(1)
print("dataclasses" in sys.modules)
print(Hashed(1) == Hashed(2), hash(Hashed(1)) == hash((1,)), "dataclasses" in sys.modules)
repr(Hashed(1))
print("dataclasses" in sys.modules)
"""
    made = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True)
    assert made.stdout.split() == [b"False", b"False", b"False", b"False", b"True", b"False", b"True"]
