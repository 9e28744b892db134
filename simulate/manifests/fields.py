"""One mapping of a manifest, read with wrong types noted instead of raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulate.manifests.documents import Document
from simulate.problems import Problem
from simulate.quantity import parse_quantity


def note(problems: list[Problem], document: Document, path: Sequence[str | int], message: str) -> None:
    """Add a problem of the value at `path`, unless there is one of it already."""
    name = ".".join(map(str, path)) or "document"
    found = document.problem(path, f"{name} {message}")
    known = ((p.file, p.line, p.column) == (found.file, found.line, found.column) and p.message.startswith(f"{name} ") for p in problems)
    if not any(known):
        problems.append(found)


class Fields:
    """One mapping of a manifest. Reading notes a wrong type as a problem and gives the default; null is absent."""

    def __init__(self, document: Document, value: Any, path: tuple[str | int, ...], problems: list[Problem]) -> None:
        self.document, self.path, self.problems = document, path, problems
        if value is not None and not isinstance(value, Mapping):
            self.fault(None, f"must be a mapping, is {kind_of(value)}")
        self.value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}

    def fault(self, key: str | None, message: str) -> None:
        """Note a fault of `key` (None: of the mapping itself)."""
        note(self.problems, self.document, self.path if key is None else (*self.path, key), message)

    def _get(self, key: str, right: Callable[[Any], bool], wanted: str) -> Any:
        value = self.value.get(key)
        if value is None or right(value):
            return value
        self.fault(key, f"must be {wanted}, is {kind_of(value)}")
        return None

    def text(self, key: str) -> str | None:
        """Text."""
        value: str | None = self._get(key, lambda v: isinstance(v, str), "text")
        return value

    def choice(self, key: str, among: Sequence[str], default: str) -> str:
        """One of some words."""
        value = self.text(key)
        if value is not None and value not in among:
            self.fault(key, f"must be one of {', '.join(among)}, is {value!r}")
        return default if value is None or value not in among else value

    def integer(self, key: str, default: int, minimum: int = 0) -> int:
        """A whole number."""
        value = self._get(key, lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number")
        if value is not None and value < minimum:
            self.fault(key, f"must be at least {minimum}, is {value}")
            return default
        return default if value is None else int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false, also as YAML 1.1 writes them."""
        words = {True: True, False: False, "yes": True, "on": True, "no": False, "off": False}
        value = self._get(key, lambda v: isinstance(v, bool | str) and v in words, "true or false")
        return default if value is None else words[value]

    def share(self, key: str, default: int | str) -> int | str:
        """An integer or a percentage, as maxSurge."""
        value = self._get(
            key, lambda v: (isinstance(v, int) and not isinstance(v, bool)) or isinstance(v, str), "a whole number or a percentage"
        )
        if value is None:
            return default
        if not (isinstance(value, int) and value >= 0) and not re.fullmatch(r"\d+%", str(value)):
            self.fault(key, f"must be a whole number or a percentage, is {value!r}")
            return default
        return value  # type: ignore[no-any-return]

    def quantity(self, key: str) -> float | None:
        """A quantity in its base unit."""
        value = self._get(key, lambda v: isinstance(v, str | int | float) and not isinstance(v, bool), "a quantity")
        try:
            return None if value is None else float(parse_quantity(str(value)))
        except ValueError as error:
            self.fault(key, f"is no quantity: {error}")
            return None

    def fields(self, key: str) -> Fields:
        """A mapping below; empty where it is absent."""
        return Fields(self.document, self.value.get(key), (*self.path, key), self.problems)

    def each(self, key: str) -> list[Fields]:
        """The mappings of a list below."""
        value = self._get(key, lambda v: isinstance(v, list), "a list")
        return [Fields(self.document, item, (*self.path, key, i), self.problems) for i, item in enumerate(value or ())]

    def strings(self, key: str) -> dict[str, str]:
        """A mapping of texts."""
        value = self._get(key, lambda v: isinstance(v, Mapping), "a mapping")
        return {str(k): str(v) for k, v in (value or {}).items()}

    def has(self, key: str) -> bool:
        """Whether it is there and not null."""
        return self.value.get(key) is not None


def kind_of(value: Any) -> str:
    """What a value is, for a message."""
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)
