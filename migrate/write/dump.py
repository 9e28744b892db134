"""One YAML dumper: plain data in, the same bytes out every time, read alike by every YAML reader.

Own text instead of PyYAML's: PyYAML leaves strings unquoted that kubectl, Helm and YAML 1.2 readers take for numbers or booleans
(`y`, `1e3`, `08`, `0o14`, `-.5`), and it is slow. Here a string stands plain only if no reader can take it for anything else; all other
strings are double-quoted with JSON's escapes, so that no control character of the input reaches a terminal, or are block texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from migrate.patterns import late

FIRST_KEYS: Final = ("apiVersion", "kind", "metadata")
"""These begin every object, in this order; all other keys keep the order in which the builder put them."""

_PLAIN: Final = late(r"[A-Za-z0-9_./$(-][A-Za-z0-9_./@%+=:$(),^~;<>\\-]*(?: [A-Za-z0-9_./@%+=:$(),^~;<>\\-]+)*\Z")
_WORDS: Final = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "-", "---", "...", "<<", "=", ".inf", ".nan", "+.inf", "-.inf"}
)
_NUMBER_LIKE: Final = late(r"[-+.]*[0-9](?!\d*(\.\d+)?(ns|us|ms|[smh]|[KMGTPE]i|%|/s|/min|/month)\Z)")
"""What begins like a number is quoted, but for durations, quantities and rates with a unit that no reader takes for a part of a number."""
_BLOCK_TEXT: Final = late(r"[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\Z")
_HIDDEN: Final = late("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_SURROGATE: Final = late("[\ud800-\udfff]")


def dump(value: Any) -> str:
    """One document without a `---`. Mappings keep their order but for FIRST_KEYS; raises TypeError for what is not plain data.

    >>> print(dump({"kind": "Map", "apiVersion": "v1", "data": {"a": "1e3", "b": "y", "c": "plain text", "d": "two\\nlines\\n"}}), end="")
    apiVersion: v1
    kind: Map
    data:
      a: "1e3"
      b: "y"
      c: plain text
      d: |
        two
        lines
    """
    lines: list[str] = []
    if isinstance(value, Mapping) and value:
        _mapping(_first_keys(value), "", lines)
    elif isinstance(value, (list, tuple)) and value:
        _sequence(value, "", lines)
    else:
        lines.append(scalar(value))
    return "\n".join(lines) + "\n"


def dump_stream(values: Iterable[Any]) -> str:
    """Several documents, separated by `---`.

    >>> dump_stream([{"a": 1}, {"b": 2}])
    'a: 1\\n---\\nb: 2\\n'
    """
    return "---\n".join(dump(value) for value in values)


def scalar(value: Any) -> str:
    r"""A value that stands on one line.

    >>> [scalar(v) for v in ("web", "08", "0o14", "10.0.0.1", "10Gi", "a: b", "", None, True, 3, 0.5, "a\x1b[31m")]
    ['web', '"08"', '"0o14"', '"10.0.0.1"', '10Gi', '"a: b"', '""', 'null', 'true', '3', '0.5', '"a\\u001b[31m"']
    """
    if isinstance(value, str):
        return value if _stands_plain(value) else _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, Mapping) and not value:
        return "{}"
    if isinstance(value, (list, tuple)) and not value:
        return "[]"
    raise TypeError(f"{type(value).__name__} is not plain data")


def _number(value: float | int) -> str:
    if isinstance(value, int):
        return str(int(value))
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[repr(value)]
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def _stands_plain(text: str) -> bool:
    return (
        _PLAIN.match(text) is not None
        and _NUMBER_LIKE.match(text) is None
        and text.lower() not in _WORDS
        and not text.startswith(("- ", "--- "))
        and ": " not in text
        and not text.endswith(":")
    )


def _quoted(text: str) -> str:
    text = json.dumps(_SURROGATE.sub("\ufffd", text), ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _block(text: str, indent: str) -> list[str] | None:
    """Header and lines of a literal block, or None where a block cannot hold the text or would read badly."""
    if "\n" not in text or not _BLOCK_TEXT.match(text) or _HIDDEN.search(text) or text[0] in " \t\n":
        return None
    body = text.rstrip("\n")
    if any(line != "" and line.strip(" \t") == "" for line in body.split("\n")):
        return None
    ending = len(text) - len(body)
    header = "|" if ending == 1 else "|-" if ending == 0 else "|+"
    lines = body.split("\n") + [""] * max(0, ending - 1)
    return [header, *(f"{indent}{line}" if line else "" for line in lines)]


def _first_keys(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    first = {key: value[key] for key in FIRST_KEYS if key in value}
    return {**first, **value} if first else value


def _key(key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, (str, int, float)):
        raise TypeError(f"key {key!r} is neither text nor a number")
    return scalar(key)


def _mapping(value: Mapping[Any, Any], indent: str, lines: list[str], lead: str | None = None) -> None:
    """`lead` is what stands before the first key (the dash of a list item) instead of the indentation."""
    for key, child in value.items():
        head = f"{indent if lead is None else lead}{_key(key)}:"
        lead = None
        _entry(head, child, indent, lines)


def _entry(head: str, child: Any, indent: str, lines: list[str]) -> None:
    if isinstance(child, Mapping) and child:
        lines.append(head)
        _mapping(child, indent + "  ", lines)
    elif isinstance(child, (list, tuple)) and child:
        lines.append(head)
        _sequence(child, indent, lines)
    elif isinstance(child, str) and (block := _block(child, indent + "  ")) is not None:
        lines.append(f"{head} {block[0]}")
        lines.extend(block[1:])
    else:
        lines.append(f"{head} {scalar(child)}")


def _sequence(value: list[Any] | tuple[Any, ...], indent: str, lines: list[str], lead: str | None = None) -> None:
    for child in value:
        head = f"{indent}-" if lead is None else f"{lead}-"
        lead = None
        if isinstance(child, Mapping) and child:
            _mapping(child, indent + "  ", lines, head + " ")
        elif isinstance(child, (list, tuple)) and child:
            _sequence(child, indent + "  ", lines, head + " ")
        elif isinstance(child, str) and (block := _block(child, indent + "  ")) is not None:
            lines.append(f"{head} {block[0]}")
            lines.extend(block[1:])
        else:
            lines.append(f"{head} {scalar(child)}")
