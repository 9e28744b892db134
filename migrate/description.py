"""Descriptions: frozen dataclasses with slots and keywords only, whose methods are written when they are first needed.

`@dataclass(frozen=True, slots=True, kw_only=True)` writes and compiles six methods for each class, half a millisecond. There are about 150
such classes, which took a third of the time of a short run, and one run makes objects of a third of them. Fields, defaults, slots and
`replace` are the standard library's; only the methods come late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")
LATE = ("__init__", "__eq__", "__hash__")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def description(cls: type[T]) -> type[T]:
    """The class as a frozen dataclass with slots, of whose objects equality, hash and text follow from the fields.

    FrozenInstanceError where an object would be changed, TypeError where a field is missing or unknown, as of any dataclass.

    >>> @description
    ... class Port:
    ...     number: int
    ...     protocol: str = "TCP"
    >>> Port(number=80), Port(number=80) == Port(number=80, protocol="UDP")
    (Port(number=80, protocol='TCP'), False)
    """
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    made = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)(cls)
    for name in LATE:
        if name not in cls.__dict__:
            setattr(made, name, _first(made, name))
    return made


def _first(cls: type, name: str) -> Callable[..., Any]:
    """Writes all late methods of the class, and goes on with the one that was asked for."""

    def method(self: Any, *values: Any, **named: Any) -> Any:
        _complete(cls)
        return getattr(cls, name)(self, *values, **named)

    method.__name__, method.__qualname__ = name, f"{cls.__qualname__}.{name}"
    method.__dict__["late"] = True
    return method


def _complete(cls: type) -> None:
    said = fields(cls)
    known: dict[str, Any] = {"_put": object.__setattr__, "_unsaid": MISSING}
    known |= {f"_default_{one.name}": one.default for one in said} | {f"_make_{one.name}": one.default_factory for one in said}
    written: dict[str, Any] = {}
    exec(_text_of(said, after=hasattr(cls, "__post_init__")), known, written)  # noqa: S102 - names of fields and nothing else
    for name in LATE:
        if "late" in vars(vars(cls)[name]):
            written[name].__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, written[name])


def _text_of(said: tuple[Field[Any], ...], *, after: bool) -> str:
    """The late methods of a class with these fields as Python."""
    taken = ", ".join(["self", *(["*"] if said else []), *map(_parameter, said)])
    puts = [f"_put(self, {one.name!r}, {_value(one)})" for one in said] + ["self.__post_init__()"] * after
    compared = [one.name for one in said if one.compare]
    mine, theirs = ("".join(f"{who}.{name}, " for name in compared) for who in ("self", "other"))
    return "\n ".join([f"def __init__({taken}):", *puts, "return"]) + (
        f"\ndef __eq__(self, other):\n return ({mine}) == ({theirs}) if other.__class__ is self.__class__ else NotImplemented"
        f"\ndef __hash__(self):\n return hash(({mine}))\n"
    )


def _parameter(one: Field[Any]) -> str:
    if one.default is not MISSING:
        return f"{one.name}=_default_{one.name}"
    return one.name if one.default_factory is MISSING else f"{one.name}=_unsaid"


def _value(one: Field[Any]) -> str:
    return one.name if one.default_factory is MISSING else f"_make_{one.name}() if {one.name} is _unsaid else {one.name}"


# ------------------------------------------------------------------ what all have in common


def _repr(self: Any) -> str:
    values = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(values)})"


def _setattr(_: Any, name: str, __: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _setstate(self: Any, values: list[Any]) -> None:
    for one, value in zip(fields(self), values, strict=True):
        object.__setattr__(self, one.name, value)


_SHARED = {
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
