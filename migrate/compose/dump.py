"""The canonical project as text, comparable with `docker compose config`: keys in order, every literal `$` doubled.

Written by hand, because a project may have hundreds of thousands of values and the general writers take seconds for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any, Final, Protocol

from migrate.patterns import late


class Said(Protocol):
    """A project in its canonical plain form."""

    @property
    def data(self) -> Mapping[str, Any]:
        """Plain data, as `config` prints it."""


_ORDER: Final = ("name", "services", "networks", "volumes", "secrets", "configs")

_HIDDEN: Final = late("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
"""Characters beyond ASCII's own controls that steer a terminal or that YAML does not allow; both forms escape them."""


def config_text(project: Said, format: str = "yaml") -> str:
    """The project as `yaml` or `json` text, with a line end behind it. The same project gives the same bytes.

    Raises ValueError for another format.
    """
    data = _printed(project.data)
    out: list[str] = []
    if format == "json":
        _json(data, "\n", out)
        out.append("\n")
    elif format == "yaml":
        top = [key for key in _ORDER if key in data] + sorted(key for key in data if key not in _ORDER)
        _yaml_map([(key, data[key]) for key in top], "", out)
    else:
        raise ValueError(f"format {format!r} is neither yaml nor json")
    text = "".join(out).replace("$", "$$")
    return _HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    """Half of a pair of UTF-16 (from a variable that is no text) has no meaning; U+FFFD stands for it."""
    code = ord(found.group())
    return f"\\u{0xFFFD if 0xD800 <= code <= 0xDFFF else code:04x}"


def _number(value: object) -> str:
    """None, a boolean, or a number, as both forms write it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _printed(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the empty texts of configs: the model keeps an empty content, which is a content, and the real program does not print it."""
    configs = data.get("configs")
    if not isinstance(configs, Mapping):
        return data
    said = {
        name: {k: v for k, v in config.items() if v != ""} if isinstance(config, Mapping) else config for name, config in configs.items()
    }
    return {**data, "configs": said}


def _json(value: Any, line: str, out: list[str]) -> None:
    """`line` is a line end and the indentation of this level."""
    if isinstance(value, str):
        out.append(encode_basestring(value))
    elif isinstance(value, Mapping):
        begin, inner = "{" + line + "  ", line + "  "
        for key in sorted(value):
            out += (begin, encode_basestring(key), ": ")
            _json(value[key], inner, out)
            begin = "," + inner
        out.append(line + "}" if value else "{}")
    elif isinstance(value, (list, tuple)):
        begin, inner = "[" + line + "  ", line + "  "
        for item in value:
            out.append(begin)
            _json(item, inner, out)
            begin = "," + inner
        out.append(line + "]" if value else "[]")
    else:
        out.append(_number(value).replace("inf", "Infinity").replace("nan", "NaN"))


_PLAIN: Final = late(r"[A-Za-z/](?:[\w./@+=%,*-]|[: ](?=[\w./@+=%*-]))*\Z", re.ASCII)
_WORDS: Final = frozenset("y n yes no on off true false null".split())  # noqa: SIM905


def _yaml_text(text: str) -> str:
    """A text as YAML of every version reads it as text: plain where it cannot be anything else, or else in double quotes.

    >>> [_yaml_text(t) for t in ("nginx:1.25", "/a b", "yes", "8080", "a: b", "x #y", "-", "a\\nb", "")]
    ['nginx:1.25', '/a b', '"yes"', '"8080"', '"a: b"', '"x #y"', '"-"', '"a\\\\nb"', '""']
    """
    return text if _PLAIN.match(text) and text.lower() not in _WORDS else encode_basestring(text)


def _yaml_map(entries: Iterable[tuple[str, Any]], indent: str, out: list[str]) -> None:
    """The entries of a mapping, a line each; nested ones begin on lines of their own. The first line has its indentation already."""
    inner, begin = indent + "  ", ""
    for key, value in entries:
        out += (begin, _yaml_text(key), ":")
        _yaml_value(value, inner, out)
        begin = indent


def _yaml_value(value: Any, indent: str, out: list[str]) -> None:
    """What stands behind the colon of a key."""
    if isinstance(value, str):
        out += (" ", _yaml_text(value), "\n")
    elif isinstance(value, Mapping) and value:
        out += ("\n", indent)
        _yaml_map([(key, value[key]) for key in sorted(value)], indent, out)
    elif isinstance(value, (list, tuple)) and value:
        out.append("\n")
        _yaml_list(value, indent, out)
    else:
        out += (" ", _yaml_scalar(value), "\n")


def _yaml_list(items: Iterable[Any], indent: str, out: list[str]) -> None:
    inner = indent + "  "
    for item in items:
        out += (indent, "-")
        if isinstance(item, Mapping) and item:
            out.append(" ")
            _yaml_map([(key, item[key]) for key in sorted(item)], inner, out)
        else:
            _yaml_value(item, inner, out)


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    number = _number(value)
    if not isinstance(value, float) or number in ("inf", "-inf", "nan"):
        return number.replace("inf", ".inf").replace("nan", ".nan")
    return number if "e" not in number or "." in number else number.replace("e", ".0e", 1)
