"""Descriptions behave as frozen dataclasses with slots and keywords only do; patterns that are compiled late are patterns."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, cast

import pytest

import migrate
from migrate import patterns
from migrate.description import description


@description
class Late:
    """A class of each kind of field."""

    name: str
    ports: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    place: str = field(default="here", compare=False, repr=False)

    @property
    def first(self) -> int | None:
        """The first port, if there is one."""
        return next(iter(self.ports), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """The same, by the standard library alone."""

    name: str
    ports: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    place: str = field(default="here", compare=False, repr=False)


@description
class Empty:
    """Nothing."""


@description
class One:
    """One field."""

    value: Any


@description
class Checked:
    """What a description may refuse."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("empty")


@pytest.mark.parametrize("values", [{"name": "a"}, {"name": "b", "ports": (1, 2)}, {"name": "c", "labels": {"x": "y"}, "place": "there"}])
def test_text_equality_fields_and_copies_are_those_of_a_dataclass(values: dict[str, Any]) -> None:
    late, early = Late(**values), Early(**values)
    assert repr(late) == repr(early).replace("Early", "Late")
    assert [(f.name, getattr(late, f.name)) for f in fields(late)] == [(f.name, getattr(early, f.name)) for f in fields(early)]
    assert (late == Late(**{**values, "place": "elsewhere"}), late == Late(**{**values, "name": "z"})) == (True, False)
    assert late != cast(object, early)
    for same in (copy.copy(late), copy.deepcopy(late), pickle.loads(pickle.dumps(late)), replace(late)):
        assert same == late
        assert same.place == late.place
    assert replace(late, ports=(9,)).first == 9
    assert not hasattr(late, "__dict__")


@pytest.mark.parametrize("wrong", [{}, {"name": "a", "unknown": 1}])
def test_missing_and_unknown_fields_are_refused_each_time(wrong: dict[str, Any]) -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            Late(**wrong)
    with pytest.raises(TypeError, match="positional"):
        Late("a")  # type: ignore[call-arg]


def test_nothing_can_be_changed() -> None:
    one = One(value=1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'value'"):
        one.value = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'value'"):
        del one.value
    assert one == One(value=1)


def test_hashes_follow_from_the_compared_fields_and_lists_have_none() -> None:
    assert hash(One(value="x")) == hash(("x",))
    assert len({Empty(), Empty()}) == 1
    assert {Checked(low=1, high=2): 3}[Checked(low=1, high=2)] == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(One(value=[]))


def test_defaults_are_made_for_each_object() -> None:
    assert Late(name="a").labels is not Late(name="a").labels


def test_what_is_not_made_by_its_class_has_its_methods_too() -> None:
    @description
    class Fresh:
        value: int

    raw = [object.__new__(Fresh) for _ in range(2)]
    for one in raw:
        object.__setattr__(one, "value", 7)
    assert raw[0] == raw[1]
    assert hash(raw[0]) == hash((7,))


def test_a_description_may_refuse_its_values() -> None:
    with pytest.raises(ValueError, match="empty"):
        Checked(low=2, high=1)
    with pytest.raises(ValueError, match="empty"):
        replace(Checked(low=1, high=2), high=0)


def late_patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """All that stand in the modules of `migrate`, also as values of tables."""
    for module in pkgutil.walk_packages(migrate.__path__, "migrate."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                for one in value.values() if isinstance(value, Mapping) else (value,):
                    if isinstance(one, patterns.Late):
                        yield f"{module.name}.{name}", one  # type: ignore[misc]


def test_every_late_pattern_can_be_compiled() -> None:
    found = list(late_patterns())
    assert len(found) > 150
    for name, pattern in found:
        assert pattern.pattern == re.compile(pattern.pattern, pattern.flags & ~re.UNICODE).pattern, name


def test_a_late_pattern_has_the_methods_of_its_pattern_from_the_first_use_on() -> None:
    words = patterns.late(r"(?P<word>[a-z]+)", re.IGNORECASE)
    assert [words.sub("-", "a1B"), words.split("1a2"), bool(words.fullmatch("Ab"))] == ["-1-", ["1", "a", "2"], True]
    assert words.groupindex == {"word": 1}
    with pytest.raises(AttributeError):
        words.unknown  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(re.error):
        patterns.late("(").match("")
