"""One file's tree to canonical shape: long forms, types, known keys (house rule: canonical before typed before decided).

Faults stay on the nodes, because a later file may replace the value that has them (rule 123); `settle.py` tells those that are left.
What has to wait until all files are merged (durations, sizes, commands, nulls, required keys) is settled there too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final

from migrate.patterns import late
from migrate.source import QUOTED, Node, Timestamp, resolve

from .faults import LIST, PAIRS, Fault, edits, nearest, spoiled
from .merge import told_twins
from .schema import Kind, Type, elsewhere
from .short import Scope
from .units import scalar_text

_NAME: Final = late(r"[a-zA-Z0-9._-]+\Z")
_TRUE: Final = frozenset(("true", "y", "yes", "on"))
_FALSE: Final = frozenset(("false", "n", "no", "off"))

KIND_WORDS: Final = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "nothing",
    Timestamp: "a date",
}


def formed(node: Node, type_: Type, scope: Scope) -> Node:
    """The node in the canonical shape of its type; faults are on it and below it.

    Nulls and values under `!reset` stay as they are; items under `!reset` leave their list. A date is a text where a number would be one.
    """
    if node.value is None or node.tag == "!reset":
        return node
    if isinstance(node.value, list) and any(child.tag == "!reset" for child in node.value):
        node = node.with_value([child for child in node.value if child.tag != "!reset"])
    if isinstance(node.value, Timestamp) and type_.kind not in ("text", "any"):
        node = _repaired(node, node.written or str(node.value), "a text in quotes")
    if type_.short is not None:
        node = type_.short(node, scope)
        if node.faults and not all(fault.keep for fault in node.faults):
            return node
    if type_.strict and (told := _strictly(node, type_)) is not None:
        return told
    return _FORMERS[type_.kind](node, type_, scope)


def _wrong(node: Node, wanted: str) -> Node:
    return spoiled(node, "wrong-type", f"{wanted} is wanted here, not {KIND_WORDS[type(node.value)]}")


def _repaired(node: Node, value: str | int | float | bool | list[Node] | None, wanted: str) -> Node:
    message = f"{wanted} is wanted here, not {KIND_WORDS[type(node.value)]}; it is read as one"
    return Node(
        value,
        node.file,
        node.line,
        node.column,
        node.written,
        node.tag,
        (*node.faults, Fault(kind="wrong-type", message=message, keep=True)),
    )


def _strictly(node: Node, type_: Type) -> Node | None:
    """The fault of a value whose type YAML may not give here; it is read as what it looks like, if it looks like that."""
    value = node.value
    if (
        not type_.strict
        or isinstance(value, (dict, list))
        or type(value) in type_.strict
        or (isinstance(value, str) and str in type_.strict and (float in type_.strict or not isinstance(value, Timestamp)))
    ):
        return None
    wanted = " or ".join(dict.fromkeys(KIND_WORDS[kind] for kind in type_.strict))
    likely = resolve(value) if isinstance(value, str) else scalar_text(value)
    return _repaired(node, likely, wanted) if type(likely) in type_.strict else _wrong(node, wanted)


def _form_any(node: Node, type_: Type, scope: Scope) -> Node:
    return node


def _only_item(node: Node) -> Node | None:
    """The item of a list of one scalar."""
    if isinstance(node.value, list) and len(node.value) == 1 and not isinstance(node.value[0].value, (dict, list)):
        return node.value[0]
    return None


def _form_str(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        return _allowed(node, value, type_, scope)
    if isinstance(value, (bool, int, float)):
        text = scalar_text(value) if isinstance(value, bool) or node.written is None else node.written
        return _repaired(node, text, "a text in quotes")
    if (item := _only_item(node)) is not None and item.value is not None:
        return _repaired(node, scalar_text(item.value), "a text")
    return _wrong(node, "a text")


def _allowed(node: Node, value: str, type_: Type, scope: Scope) -> Node:
    if type_.allowed and value not in type_.allowed:
        words = ", ".join(type_.allowed)
        likely = nearest(value, type_.allowed, scope.allowance, distance=3) or next(
            (word for word in type_.allowed if value and word.endswith(value)), None
        )
        if likely is None:
            return spoiled(node, "bad-enum", f"{value!r} is not one of {words}")
        fault = Fault(kind="bad-enum", message=f"{value!r} is not one of {words}; {likely} is assumed", keep=True)
        return node.with_value(likely, written=value, faults=(fault,))
    if type_.pattern and not re.match(type_.pattern, value):
        return spoiled(node, "pattern", f"{value!r} is not of the form that this key wants")
    return node


def _form_text(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str) and not isinstance(value, Timestamp):
        return node
    if isinstance(value, int) and type_.pattern == "late":
        return node
    if isinstance(value, (bool, int, float, str)):
        return as_text(node)
    if (item := _only_item(node)) is not None and item.value is not None:
        return _repaired(node, scalar_text(item.value), "a text")
    return _wrong(node, "a text or a number")


def as_text(node: Node) -> Node:
    """A number or boolean where text is wanted: printed by value, which may differ from what was written (rule 17)."""
    text = scalar_text(node.value)
    if node.written is None or node.written == text or isinstance(node.value, bool):
        return Node(text, node.file, node.line, node.column, node.written, node.tag, node.faults)
    what = "time" if isinstance(node.value, str) else "number"
    message = f"YAML reads this as a {what}, and it is printed otherwise than written; quote it if the text is meant"
    return Node(
        text, node.file, node.line, node.column, node.written, node.tag, (*node.faults, Fault(kind="MIG057", message=message, keep=True))
    )


def _form_bool(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, bool):
        return node
    if isinstance(value, str):
        word = value.lower()
        if word in _TRUE or word in _FALSE:
            faults: tuple[Fault, ...] = ()
            if word not in ("true", "false"):
                faults = (
                    Fault(kind="MIG057", message=f"{value!r} is read as {'true' if word in _TRUE else 'false'}; write that", keep=True),
                )
            return node.with_value(word in _TRUE, written=value, faults=faults)
        return spoiled(node, "cast", f"{value!r} cannot be read as a boolean")
    return _wrong(node, "true or false")


_WHOLE: Final = late(r"[-+]?[0-9]{1,40}\Z")
_DECIMAL: Final = late(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?\Z")


def _number(node: Node, value: str, whole: bool) -> Node:
    """A text in a field for numbers: decimal digits, nothing of YAML's other bases (rule 39)."""
    number: int | float | None = None
    if _WHOLE.match(value) and -(1 << 63) <= int(value) < 1 << 63:
        number = int(value)
    elif not whole and len(value) < 400 and _DECIMAL.match(value) and abs(float(value)) != float("inf"):
        number = float(value)
    if number is not None:
        return node.with_value(number, written=value)
    return spoiled(node, "cast", f"{value!r} cannot be read as a {'whole ' if whole else ''}number")


def single(value: float) -> float:
    """A number as the real program keeps it, in 32 bits, with as few digits as name it.

    >>> single(0.1), single(0.123456789), single(99999999999)
    (0.1, 0.12345679, 100000000000.0)
    """
    try:
        bits = struct.pack("f", value)
    except OverflowError:
        return value
    return next((short for digits in range(1, 9) if struct.pack("f", short := float(f"{value:.{digits}g}")) == bits), float(f"{value:.9g}"))


def _form_int(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, dict) and type_.keys:
        return _form_map(node, type_, scope)
    if isinstance(value, bool):
        return _wrong(node, "a whole number")
    if type_.strict and type(value) not in type_.strict:
        return _wrong(node, "a whole number")
    if isinstance(value, float):
        if not (value.is_integer() or type_.pattern == "cut") or value != value or abs(value) > 1 << 63:
            return _wrong(node, "a whole number")
        node = node.with_value(int(value))
    elif isinstance(value, str):
        node = _number(node, value, whole=type_.pattern != "percent")
        if isinstance(node.value, float):
            return _form_int(node, type_, scope)
    elif not isinstance(value, int):
        return _wrong(node, "a whole number")
    return _in_limits(node, type_)


def _in_limits(node: Node, type_: Type) -> Node:
    value = node.value
    if not isinstance(value, int) or isinstance(value, bool) or node.faults:
        return node
    if (type_.least is not None and value < type_.least) or (type_.most is not None and value > type_.most):
        limits = f"at least {type_.least}" if type_.most is None else f"from {type_.least} to {type_.most}"
        return spoiled(node, "wrong-type" if type_.most is not None else "bad-number", f"{value} is not a number {limits}")
    return node


def _form_num(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        node = _number(node, value, whole=False)
    elif not isinstance(value, (int, float)) or isinstance(value, bool):
        return _wrong(node, "a number")
    number = node.value
    return node.with_value(single(number)) if isinstance(number, float) or (isinstance(number, int) and abs(number) > 1 << 24) else node


def _form_cpus(node: Node, type_: Type, scope: Scope) -> Node:
    made = (_form_int if type_.pattern == "whole" else _form_num)(node, type_, scope)
    if isinstance(node.value, str) and made.faults:
        return spoiled(node, "bad-number", f"{node.value!r} is not a number")
    return made


def _form_mode(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        digits = value
        if not digits or any(digit not in "01234567" for digit in digits):
            return spoiled(node, "bad-number", f"mode {value!r} is not an octal number")
        return node.with_value(int(digits, 8), written=value)
    return _form_int(node, type_, scope)


def _form_count(node: Node, type_: Type, scope: Scope) -> Node:
    return node.with_value(-1, written="all") if node.value == "all" else _form_int(node, type_, scope)


def _form_size(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        return node
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) >= 1 << 64:
        return _wrong(node, "a size such as 512m")
    if type_.pattern == "text":
        return _repaired(node, scalar_text(value), "a text such as 50M")
    if isinstance(value, float) and (value.is_integer() or type_.pattern == "number"):
        message = f"Docker reads a size with a fraction or an exponent as none; write it as digits: {int(value)}"
        return node.with_value(value, faults=(Fault(kind="MIG057", message=message),))
    if isinstance(value, float) or (type_.least is not None and value < type_.least):
        return spoiled(node, "wrong-type", f"{scalar_text(value)} is not a size in whole bytes")
    return node


def _form_duration(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        return node
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _repaired(node, f"{scalar_text(value)}s", "a duration with a unit such as 30s")
    return _wrong(node, "a duration such as 30s")


def _form_words(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if isinstance(value, str):
        return node
    if isinstance(value, list):
        return _form_list(node, _WORD_LIST, scope)
    if isinstance(value, (bool, int, float)):
        return _repaired(node, scalar_text(value), "a text or a list of texts")
    return _wrong(node, "a text or a list of texts")


def _form_list(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    item = type_.item
    if item is None:
        return node
    if isinstance(value, dict) or value is None:
        return _wrong(node, "a list")
    if not isinstance(value, list):
        return _form_list(_repaired(node, [Node(value, node.file, node.line, node.column, node.written)], LIST), type_, scope)
    items: list[Node] = []
    for child in value:
        made = formed(child, item, scope)
        if type_.splice and isinstance(made.value, list) and not isinstance(child.value, list):
            items.extend(made.value)
        else:
            items.append(made)
    return Node(told_twins(items, type_), node.file, node.line, node.column, node.written, node.tag, node.faults)


def _form_map(node: Node, type_: Type, scope: Scope) -> Node:
    value = node.value
    if not isinstance(value, dict):
        return _wrong(node, "a mapping")
    made: dict[str, Node] = {}
    keys, item = type_.keys, type_.item
    for key, child in value.items():
        known = keys.get(key)
        if known is not None:
            made[key] = formed(child, known, scope)
        elif item is not None:
            named = not type_.names or _NAME.match(key)
            made[key] = (
                formed(child, item, scope)
                if named
                else spoiled(child, "unknown-key", f"name {key!r} has characters other than a-z, 0-9, '.', '_' and '-'")
            )
        elif key.startswith("x-") and not type_.closed:
            made[key] = child
        elif type_.open:
            fault = Fault(kind="unknown-key", message=f"unknown key {key!r}; it is left out", mild=True)
            made[key] = child.with_value(child.value, faults=(fault,))
        else:
            _unknown(key, child, value, made, type_, scope)
    return Node(made, node.file, node.line, node.column, node.written, node.tag, node.faults)


def _unknown(key: str, child: Node, value: dict[str, Node], made: dict[str, Node], type_: Type, scope: Scope) -> None:
    """A key that nobody knows: the nearest known one is taken for it, if it is near and not there itself (MIG006)."""
    likely = nearest(key, type_.keys, scope.allowance)
    if likely is None or likely in value or likely in made or edits(key, likely) > 2:
        meant = [likely] if likely is not None else elsewhere(key, type_)
        also = f"; did you mean {' or '.join(meant)}?" if meant else ""
        made[key] = spoiled(child, "unknown-key", f"unknown key {key!r}{also}")
        return
    read = formed(child, type_.keys[likely], scope)
    fault = Fault(kind="unknown-key", message=f"unknown key {key!r}; {likely} is assumed", keep=True)
    made[likely] = read.with_value(read.value, faults=(fault,))


def _form_pairs(node: Node, type_: Type, scope: Scope) -> Node:
    """Names and values in either form as a mapping; in a list the last of equal names counts (rule 57)."""
    value = node.value
    made: dict[str, Node] = {}
    if isinstance(value, dict):
        for key, child in value.items():
            if child.value is None and type_.item is not None and child.tag != "!reset":
                made[key] = spoiled(child, "wrong-type", f"{key} has no value; it is left out")
            else:
                made[key] = child if child.value is None else formed(child, type_.item or _PAIR_VALUE, scope)
        return Node(made, node.file, node.line, node.column, node.written, node.tag, node.faults)
    if isinstance(value, str):
        repaired = _repaired(node, [Node(value, node.file, node.line, node.column)], PAIRS)
        return _form_pairs(repaired, type_, scope)
    if not isinstance(value, list):
        return _wrong(node, PAIRS)
    faults: list[Fault] = []
    told: set[str] = set()
    for child in value:
        text = child.value if not isinstance(child.value, Timestamp) else None
        if isinstance(text, str) and type_.refuse and text in told:
            faults.append(Fault(kind="not-unique", message=f"{text} is listed twice", keep=True))
        told.add(str(text))
        if isinstance(text, str) and type_.item is not None and "=" not in text:
            faults.append(Fault(kind="wrong-type", message=f"{text!r} is not NAME=VALUE; it is left out", keep=True, span=child.span))
            continue
        if not isinstance(text, str):
            faults.append(Fault(kind="wrong-type", message="an item of this list is not NAME=VALUE", keep=True, span=child.span))
            made.update(_pairs_inside(child, type_, scope))
            continue
        name, sign, rest = text.partition("=")
        if sign and name != name.rstrip() and type_.unset:
            message = f"a blank stands before the = of {name.rstrip()}; it is left out"
            faults.append(Fault(kind="bad-env-name", message=message, keep=True, span=child.span))
        entry = _pair_value(child, name, rest if sign else None)
        name = name.rstrip() if sign and type_.unset else name
        made.pop(name, None)
        made[name] = formed(entry, type_.item, scope) if type_.item is not None else entry
    return node.with_value(made, faults=tuple(faults))


def _pair_value(item: Node, name: str, value: str | None) -> Node:
    """The value of an item NAME=VALUE at its own place, with what stands there if variables were replaced in it."""
    if value is None:
        return Node(None, item.file, item.line, item.column, item.written)
    head, sign, written = (item.written or "").partition("=")
    if item.written is not None and (not sign or head.count("{") != head.count("}")):
        return Node(value, item.file, item.line, item.column, item.written)
    column = item.column + len(head if sign else name) + (2 if item.tag == QUOTED else 1)
    return Node(value, item.file, item.line, column, written if sign and written != value else None)


def _pairs_inside(child: Node, type_: Type, scope: Scope) -> dict[str, Node]:
    """What a mapping inside a list of pairs most likely means: `- A: 1`."""
    if not isinstance(child.value, dict):
        return {}
    inner = _form_pairs(child, type_, scope).value
    return inner if isinstance(inner, dict) else {}


_PAIR_VALUE: Final = Type(kind="text")
_WORD_LIST: Final = Type(kind="list", item=Type(kind="str"))

_FORMERS: Final[dict[Kind, Callable[[Node, Type, Scope], Node]]] = {
    "any": _form_any,
    "str": _form_str,
    "text": _form_text,
    "bool": _form_bool,
    "int": _form_int,
    "num": _form_num,
    "cpus": _form_cpus,
    "mode": _form_mode,
    "count": _form_count,
    "size": _form_size,
    "duration": _form_duration,
    "words": _form_words,
    "map": _form_map,
    "list": _form_list,
    "pairs": _form_pairs,
}
