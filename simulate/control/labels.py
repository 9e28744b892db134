"""Label selectors: the text form (`app=web,tier in (a,b),!old`) and the objects of manifests. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
Labels = Mapping[str, str]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?/)?{_NAME}"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_COMPARE = re.compile(rf"({_KEY})\s*(==|=|!=|>|<)\s*((?:{_NAME})?)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_SPLIT = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. An absent label satisfies NotIn and DoesNotExist only; Gt and Lt compare whole numbers."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether these labels satisfy it."""
        value = labels.get(self.key)
        if self.operator in ("Exists", "DoesNotExist"):
            return (value is not None) == (self.operator == "Exists")
        if self.operator in ("In", "NotIn"):
            return (value in self.values) == (self.operator == "In")
        try:
            left, right = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return left > right if self.operator == "Gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether these labels are selected."""
        return all(one.matches(labels) for one in self.requirements)


def parse(text: str) -> Selector:
    """A selector from its text form. ValueError when it is none.

    >>> parse("name=test-pod,!old").matches({"name": "test-pod"})
    True
    >>> parse("cheddar cheese")
    Traceback (most recent call last):
    ...
    ValueError: unable to parse requirement: 'cheddar cheese'
    """
    parts = [part.strip() for part in _SPLIT.split(text)] if text.strip() else []
    return Selector(tuple(_requirement(part) for part in parts))


def _requirement(part: str) -> Requirement:
    if match := _SET.fullmatch(part):
        values = tuple(value.strip() for value in match.group(3).split(","))
        return Requirement(match.group(1), "In" if match.group(2) == "in" else "NotIn", values)
    if match := _COMPARE.fullmatch(part):
        key, sign, value = match.groups()
        operators: dict[str, Operator] = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}
        return Requirement(key, operators[sign], (value,))
    if match := _EXISTS.fullmatch(part):
        return Requirement(match.group(2), "DoesNotExist" if match.group(1) else "Exists")
    raise ValueError(f"unable to parse requirement: {part!r}")


def expressions(items: Iterable[Mapping[str, Any]]) -> tuple[Requirement, ...]:
    """`matchExpressions` of a label or node selector; entries without a known operator are left out (the API refuses them)."""
    known = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    return tuple(
        Requirement(str(item.get("key", "")), item["operator"], tuple(map(str, item.get("values") or ())))
        for item in items
        if item.get("operator") in known
    )


def from_object(selector: Mapping[str, Any] | None) -> Selector | None:
    """A LabelSelector of a manifest; None (absent) selects nothing, `{}` everything.

    >>> from_object({"matchLabels": {"app": "web"}}).matches({"app": "web", "x": "1"})
    True
    """
    if selector is None:
        return None
    exact = tuple(Requirement(key, "In", (str(value),)) for key, value in sorted((selector.get("matchLabels") or {}).items()))
    return Selector(exact + expressions(selector.get("matchExpressions") or ()))


def text_of(labels: Labels) -> str:
    """The text form of equalities, as the scale subresource shows it.

    >>> text_of({"b": "2", "a": "1"})
    'a=1,b=2'
    """
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def dump(selector: Mapping[str, Any] | None) -> str:
    """The debugging form of a LabelSelector that the HPA controller puts into its texts; "nil" when absent."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    items = "".join(
        f"LabelSelectorRequirement{{Key:{one.key},Operator:{one.operator},Values:[{' '.join(one.values)}],}},"
        for one in expressions(selector.get("matchExpressions") or ())
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{items}}},}}"
