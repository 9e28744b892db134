"""The kinds of value that a scenario is made of. Each reads a plain value into its canonical form (SI units) and knows its JSON Schema.

Reading never raises: it notes every fault with its place in `At.problems` and gives `None` for what could not be read.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from simulate.manifests import Document
from simulate.problems import Problem
from simulate.quantity import parse_duration, parse_quantity, parse_rate
from simulate.spec import Distribution

JsonSchema = dict[str, Any]

DURATION_PATTERN = r"^[0-9.]+(ns|us|µs|ms|s|m|h|d)([0-9.]+(ns|us|µs|ms|s|m|h))*$"
QUANTITY_PATTERN = r"^[0-9.]+([eE][0-9]+|[numkMGTPE]|[KMGTPE]i)?$"
RATE_PATTERN = r"^[0-9.]+/(s|m|min|h|d)$"


@dataclass(slots=True)
class At:
    """Where reading is: machinery of one reading."""

    document: Document
    problems: list[Problem]
    path: tuple[str | int, ...] = ()

    def down(self, part: str | int) -> At:
        """One step further in."""
        return At(self.document, self.problems, (*self.path, part))

    def fault(self, message: str) -> None:
        """Note a fault of the value here."""
        self.problems.append(self.document.problem(self.path, f"{dotted(self.path)} {message}"))


def dotted(path: Sequence[str | int]) -> str:
    """A key path as a person writes it.

    >>> dotted(("load", "web", 0, "open"))
    'load.web[0].open'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the scenario"


def nearest(word: str, known: Sequence[str]) -> str:
    """What an unknown word is called in a message, with the nearest known one.

    >>> nearest("laod", ["load", "seed"])
    "'laod', did you mean 'load'?"
    """
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"{word!r}, did you mean {close[0]!r}?" if close else f"{word!r}; known are {', '.join(known)}"


class Shape(Protocol):
    """A kind of value."""

    def read(self, value: Any, at: At) -> Any:
        """The canonical value; None after noting a fault."""

    def schema(self) -> JsonSchema:
        """Its JSON Schema."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Text:
    """Text; numbers are taken as they are written."""

    def read(self, value: Any, at: At) -> str | None:
        """Text."""
        if isinstance(value, str) or _number(value):
            return str(value)
        at.fault("must be text")
        return None

    def schema(self) -> JsonSchema:
        """Text."""
        return {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: Any, at: At) -> bool | None:
        """A truth value."""
        if isinstance(value, bool):
            return value
        at.fault("must be true or false")
        return None

    def schema(self) -> JsonSchema:
        """A truth value."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds; `whole` for integers, `nullable` where null says "unlimited"."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    whole: bool = False
    nullable: bool = False

    def read(self, value: Any, at: At) -> float | int | None:
        """The number as it is."""
        if value is None and self.nullable:
            return None
        right = isinstance(value, int) and not isinstance(value, bool) if self.whole else _number(value)
        if not right:
            at.fault(f"must be a {'whole ' if self.whole else ''}number")
            return None
        for wrong, words in (
            (self.minimum is not None and value < self.minimum, f"at least {self.minimum}"),
            (self.maximum is not None and value > self.maximum, f"at most {self.maximum}"),
            (self.above is not None and value <= self.above, f"more than {self.above}"),
        ):
            if wrong:
                at.fault(f"must be {words}, is {value}")
                return None
        return int(value) if self.whole else float(value)

    def schema(self) -> JsonSchema:
        """The number with its bounds."""
        kind = "integer" if self.whole else "number"
        found: JsonSchema = {"type": [kind, "null"] if self.nullable else kind}
        bounds = {"minimum": self.minimum, "maximum": self.maximum, "exclusiveMinimum": self.above}
        return found | {key: bound for key, bound in bounds.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str | int, ...]

    def read(self, value: Any, at: At) -> str | None:
        """The word."""
        if value in self.words:
            return str(value)
        at.fault(
            f"must be one of {', '.join(map(str, self.words))}"
            + (f", is {nearest(value, [str(word) for word in self.words])}" if isinstance(value, str) else "")
        )
        return None

    def schema(self) -> JsonSchema:
        """The words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with a unit written as text, by one of the parsers of `simulate.quantity`."""

    noun: str
    example: str
    pattern: str
    parse: Callable[[str], float]
    above: float | None = None
    clock: bool = False

    def read(self, value: Any, at: At) -> float | None:
        """SI value."""
        if not (isinstance(value, str) or _number(value)):
            at.fault(f"must be a {self.noun} such as {self.example}")
            return None
        if self.clock and (match := re.fullmatch(r"(\d{1,2}):(\d\d)", str(value))):
            return int(match.group(1)) * 3600.0 + int(match.group(2)) * 60.0
        try:
            found = float(value) if _number(value) else float(self.parse(str(value)))
        except ValueError:
            at.fault(f"must be a {self.noun} such as {self.example}, is {str(value)[:40]!r}")
            return None
        if found < 0 or (self.above is not None and found <= self.above):
            at.fault("must be more than 0" if self.above is not None else "must not be negative")
            return None
        return found

    def schema(self) -> JsonSchema:
        """Text by pattern, or a bare number."""
        return {"anyOf": [{"type": "string", "description": f"a {self.noun} such as {self.example}"}, {"type": "number", "minimum": 0}]}


DURATION = Measured("duration", "250ms", DURATION_PATTERN, parse_duration)
LASTING = Measured("duration", "5m", DURATION_PATTERN, parse_duration, above=0.0)
CLOCK = Measured("time of day or duration", '"15:00"', DURATION_PATTERN, parse_duration, clock=True)
QUANTITY = Measured("quantity", "128Mi", QUANTITY_PATTERN, parse_quantity)
RATE = Measured("rate", "120/s", RATE_PATTERN, parse_rate)


def _price(text: str) -> float:
    amount, _, per = text.replace(" ", "").partition("/")
    months = {"month": 1.0, "": 1.0, "hour": 730.0, "h": 730.0, "year": 1 / 12, "day": 730.0 / 24}
    if per not in months:
        raise ValueError(per)
    return float(re.sub(r"^[^\d.]+|[^\d.]+$", "", amount)) * months[per]


PRICE = Measured("price", "140/month", "", _price)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of one kind."""

    item: Shape
    least: int = 0

    def read(self, value: Any, at: At) -> tuple[Any, ...] | None:
        """A tuple."""
        if not isinstance(value, list | tuple):
            at.fault("must be a list")
            return None
        if len(value) < self.least:
            at.fault(f"must have at least {self.least} {'entry' if self.least == 1 else 'entries'}")
            return None
        return tuple(self.item.read(entry, at.down(i)) for i, entry in enumerate(value))

    def schema(self) -> JsonSchema:
        """An array."""
        return {"type": "array", "items": self.item.schema()} | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True, slots=True)
class Tuple:
    """A list of fixed length, as `[2h, 5/s]`."""

    items: tuple[Shape, ...]

    def read(self, value: Any, at: At) -> tuple[Any, ...] | None:
        """A tuple."""
        if not isinstance(value, list | tuple) or len(value) != len(self.items):
            at.fault(f"must be a list of {len(self.items)}")
            return None
        return tuple(shape.read(entry, at.down(i)) for i, (shape, entry) in enumerate(zip(self.items, value, strict=True)))

    def schema(self) -> JsonSchema:
        """An array of fixed length."""
        count = len(self.items)
        return {"type": "array", "prefixItems": [shape.schema() for shape in self.items], "minItems": count, "maxItems": count}


@dataclass(frozen=True, slots=True)
class Ordered:
    """A list of `[time, value]` in order of time; equal times only where `jumps` allows them."""

    first: Shape
    second: Shape
    jumps: bool = False

    def read(self, value: Any, at: At) -> tuple[Any, ...] | None:
        """Tuple of pairs."""
        pairs = Listed(Tuple((self.first, self.second)), least=1).read(value, at)
        if pairs is None or any(pair is None or None in pair for pair in pairs):
            return None
        for i, (before, after) in enumerate(pairwise(pairs)):
            if after[0] < before[0] or (after[0] == before[0] and not self.jumps):
                at.down(i + 1).fault("must come later than the entry before it")
                return None
        return pairs

    def schema(self) -> JsonSchema:
        """An array of pairs."""
        return Listed(Tuple((self.first, self.second)), least=1).schema()


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names of the user's to one kind."""

    value: Shape
    key: Shape | None = None

    def read(self, value: Any, at: At) -> dict[Any, Any] | None:
        """A dict with keys as text (or as `key` reads them)."""
        if not isinstance(value, Mapping):
            at.fault("must be a mapping")
            return None
        found = {}
        for name, entry in value.items():
            here = at.down(str(name))
            found[str(name) if self.key is None else self.key.read(name, here)] = self.value.read(entry, here)
        return found

    def schema(self) -> JsonSchema:
        """An object."""
        return {"type": "object", "additionalProperties": self.value.schema()}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of `Fields`: its kind, whether it must be there, what it means."""

    shape: Shape
    means: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known keys. `one_of`: exactly one of these must be there (or at most one with `or_none`)."""

    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()
    or_none: bool = False
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self, value: Any, at: At) -> dict[str, Any] | None:
        """A dict of the keys that were said. A key with null is not said, unless null has a meaning for it."""
        if not isinstance(value, Mapping):
            at.fault(f"must be a mapping with {', '.join(self.keys)}")
            return None
        found: dict[str, Any] = {}
        for name, entry in value.items():
            key = self.keys.get(str(name))
            if key is None:
                here = at.down(str(name))
                at.problems.append(
                    at.document.problem(here.path, f"unknown key {nearest(str(name), list(self.keys))} (in {dotted(at.path)})")
                )
            elif entry is not None or (isinstance(key.shape, Number) and key.shape.nullable):
                found[str(name)] = key.shape.read(entry, at.down(str(name)))
        for name, key in self.keys.items():
            if key.required and name not in found:
                at.fault(f"needs {name}")
        self._exclusive(found, at)
        return found

    def _exclusive(self, found: Mapping[str, Any], at: At) -> None:
        said = [name for name in self.one_of if name in found]
        if len(said) > 1:
            at.fault(f"must have one of {', '.join(self.one_of)}, has {' and '.join(said)}")
        elif self.one_of and not said and not self.or_none:
            at.fault(f"must have one of {', '.join(self.one_of)}")
        for name, others in self.excludes.items():
            both = [other for other in others if other in found]
            if name in found and both:
                at.fault(f"has {name} and {' and '.join(both)}: one or the other")

    def schema(self) -> JsonSchema:
        """An object without other keys."""
        found: JsonSchema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: key.shape.schema() | {"description": key.means} for name, key in self.keys.items()},
        }
        required = [name for name, key in self.keys.items() if key.required]
        if required:
            found["required"] = required
        if self.one_of and not self.or_none:
            found["oneOf"] = [{"required": [name]} for name in self.one_of]
        return found


@dataclass(frozen=True, slots=True)
class Either:
    """A mapping of one kind, or something that is no mapping of another."""

    mapping: Shape
    other: Shape

    def read(self, value: Any, at: At) -> Any:
        """As the one that fits reads it."""
        return (self.mapping if isinstance(value, Mapping) else self.other).read(value, at)

    def schema(self) -> JsonSchema:
        """Both."""
        return {"anyOf": [self.other.schema(), self.mapping.schema()]}


QUANTILE = Number(minimum=0.0, maximum=1.0)


@dataclass(frozen=True, slots=True)
class Distributed:
    """A distribution of model.md 1.6 as section 12 writes it; its values are of kind `unit`."""

    unit: Shape

    def read(self, value: Any, at: At) -> Distribution | None:
        """A `Distribution`; the constant for a bare value."""
        if not isinstance(value, Mapping):
            bare = self.unit.read(value, at)
            return None if bare is None else Distribution(name="const", value=bare)
        before = len(at.problems)
        said = self._fields().read(value, at)
        if said is None or len(at.problems) > before:
            return None
        return self._build(said, at)

    def _build(self, said: Mapping[str, Any], at: At) -> Distribution | None:
        extra = next((key for form in FORMS if form[0] in said for key in said if key not in form), None)
        if extra is not None:
            at.fault(f"has {extra}, which does not go with the rest")
            return None
        if "quantiles" in said:
            return _quantiles(said["quantiles"], at)
        if "mean" in said:
            return _by_mean(said, at)
        if not ("min" in said and "max" in said) or said["max"] < said["min"]:
            at.fault("must have mean, or min and a max that is not smaller, or quantiles")
            return None
        if "alpha" in said:
            if said["min"] <= 0 or said["max"] <= said["min"]:
                at.fault("with alpha needs 0 < min < max")
                return None
            return Distribution(name="pareto", minimum=said["min"], maximum=said["max"], alpha=said["alpha"])
        return Distribution(name="uniform", minimum=said["min"], maximum=said["max"])

    def _fields(self) -> Fields:
        return Fields(
            {
                "mean": Key(self.unit, "mean"),
                "cv": Key(Number(minimum=0.0), "coefficient of variation; alone with mean: lognormal"),
                "distribution": Key(Choice(("exponential", "erlang", "hyperexponential", "lognormal")), "the form"),
                "k": Key(Number(minimum=1, maximum=16, whole=True), "phases of erlang"),
                "min": Key(self.unit, "smallest value"),
                "max": Key(self.unit, "largest value"),
                "alpha": Key(Number(above=0.0), "exponent of the bounded Pareto"),
                "quantiles": Key(Named(self.unit, key=QUANTILE), "quantile -> value, linear between; 1 is needed"),
            }
        )

    def schema(self) -> JsonSchema:
        """A bare value or the mapping."""
        return {"anyOf": [self.unit.schema(), self._fields().schema()]}


FORMS = (("quantiles",), ("mean", "cv", "distribution", "k"), ("min", "max", "alpha"))


def _quantiles(points: Mapping[float, float], at: At) -> Distribution | None:
    pairs = sorted(points.items())
    if not pairs or pairs[-1][0] != 1:
        at.fault("must give the quantile 1 (the largest value)")
        return None
    if pairs[0][0] != 0:
        pairs.insert(0, (0.0, pairs[0][1] / 2))
    if any(after[1] < before[1] for before, after in pairwise(pairs)):
        at.fault("must not fall as the quantile grows")
        return None
    return Distribution(name="quantiles", points=tuple((float(q), x) for q, x in pairs))


def _by_mean(said: Mapping[str, Any], at: At) -> Distribution | None:
    mean, name = said["mean"], said.get("distribution")
    cv: float | None = said.get("cv")
    if name == "exponential":
        return Distribution(name="exp", mean=mean)
    if name == "erlang":
        if "k" not in said and not cv:
            at.fault("with erlang needs k")
            return None
        k = int(said["k"]) if "k" in said or not cv else min(16, max(1, round(1 / cv**2)))
        return Distribution(name="erlang", mean=mean, k=k)
    if name == "hyperexponential":
        if cv is None or cv < 1:
            at.fault("with hyperexponential needs cv of at least 1")
            return None
        return Distribution(name="hyperexp", mean=mean, cv=cv)
    if name == "lognormal" and cv is None:
        at.fault("with lognormal needs cv")
        return None
    return Distribution(name="lognormal", mean=mean, cv=cv) if cv else Distribution(name="const", value=mean)
