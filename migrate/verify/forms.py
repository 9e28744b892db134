"""What a value of a Kubernetes object may look like, and the walker that holds values to tables of such forms.

Source: the validation of the API machinery, as its documentation states it; a test asks a real API server about every form.
A form judges only values of its own type: a wrong type is the schema's to tell.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from migrate.patterns import late
from migrate.source import Path_
from migrate.verify.schema import Misfit

_LABEL: Final = late(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN: Final = late(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_WORD: Final = late(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\Z")
_MAP_KEY: Final = late(r"[-._a-zA-Z0-9]+\Z")
_PORT_NAME: Final = late(r"(?=.{1,15}\Z)(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_QUANTITY: Final = late(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(m|u|n|[kMGTPE]i?|Ki|[eE][+-]?[0-9]+)?\Z")
_SCALE: Final[Mapping[str, Decimal]] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip
_CRON: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("weekday", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_CRON_NAMES: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})


@dataclass(frozen=True, slots=True)
class Form:
    """What a value may be: `admits` decides, `what` says it after `is not`."""

    admits: Callable[[Any], bool]
    what: str
    shown: bool = True


def _text(admits: Callable[[str], bool], what: str, *, shown: bool = True) -> Form:
    return Form(lambda value: not isinstance(value, str) or admits(value), what, shown)


def one_of(*words: str) -> Form:
    """One of these words."""
    return _text(lambda value: value in words, f"one of {', '.join(word or 'nothing' for word in words)}")


def number(least: int, most: int | None = None) -> Form:
    """A whole number within bounds."""
    what = f"at least {least}" if most is None else f"from {least} to {most}"
    return Form(lambda value: not isinstance(value, int) or (value >= least and (most is None or value <= most)), what)


def matching(pattern: str, what: str) -> Form:
    """Text that a regular expression describes."""
    compiled = re.compile(rf"(?:{pattern})\Z")
    return _text(lambda value: compiled.match(value) is not None, what)


def is_label(text: str) -> bool:
    """A DNS label: 63 characters, small letters, digits and `-`."""
    return len(text) <= 63 and _LABEL.match(text) is not None


def is_subdomain(text: str) -> bool:
    """A DNS name in small letters, 253 characters."""
    return len(text) <= 253 and _SUBDOMAIN.match(text) is not None


def is_label_value(text: str) -> bool:
    """The value of a label: empty, or 63 letters, digits, `-`, `_` and `.`, letters or digits at the ends."""
    return text == "" or (len(text) <= 63 and _WORD.match(text) is not None)


def is_key(text: str, *, annotation: bool = False) -> bool:
    """The key of a label or annotation: a name, or a DNS name, `/`, and a name. Annotations do not care about the case of the DNS name.

    >>> is_key("app.kubernetes.io/name"), is_key("a/b/c"), is_key("A.b/c"), is_key("A.b/c", annotation=True)
    (True, False, False, True)
    """
    prefix, slash, short = text.rpartition("/")
    known = not slash or is_subdomain(prefix.lower() if annotation else prefix)
    return known and len(short) <= 63 and _WORD.match(short) is not None


def is_map_key(text: str) -> bool:
    """The key of a ConfigMap or Secret."""
    return len(text) <= 253 and _MAP_KEY.match(text) is not None and text != "." and not text.startswith("..")


def is_address(text: str) -> bool:
    """An IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_range(text: str) -> bool:
    """A range of addresses with its prefix length."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def is_base64(text: str) -> bool:
    """Base64 with its padding."""
    try:
        base64.b64decode("".join(text.split("\n")), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def quantity(text: Any) -> Decimal | None:
    """A Kubernetes quantity as a number, None if it is none.

    >>> quantity("250m"), quantity("1.5Gi"), quantity("1,5")
    (Decimal('0.250'), Decimal('1610612736.0'), None)
    """
    found = _QUANTITY.match(str(text))
    if found is None or isinstance(text, bool):
        return None
    amount, suffix = found[1], found[2] or ""
    return Decimal(f"{amount}{suffix}") if suffix not in _SCALE else Decimal(amount) * _SCALE[suffix]


def share(value: Any) -> int | None:
    """A number of pods, or a percentage as its number; None for what is neither.

    >>> share(2), share("25%"), share("a%"), share(-1)
    (2, 25, None, None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    match = re.fullmatch(r"(\d+)%", str(value))
    return int(match[1]) if match else None


def is_schedule(text: str) -> bool:
    """Five fields, or a name such as `@daily`, with an optional `TZ=` before them refused as the API server refuses it.

    >>> is_schedule("*/5 0-6,20 1 JAN mon-fri"), is_schedule("60 * * * *"), is_schedule("@often"), is_schedule("@every 1h30m")
    (True, False, False, True)
    """
    if text.startswith("@"):
        return text in _CRON_NAMES or re.fullmatch(r"@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", text) is not None
    fields = text.split()
    return len(fields) == 5 and all(_is_field(said, *known[1:]) for said, known in zip(fields, _CRON, strict=True))


def _is_field(text: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    return all(_is_part(part, least, most, names) for part in text.split(","))


def _is_part(part: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    spread, slash, step = part.partition("/")
    if slash and not (step.isdigit() and int(step) > 0):
        return False
    if spread in ("*", "?"):
        return True
    ends = spread.split("-")
    numbers = [
        int(end) if end.isdigit() else names.index(end.lower()) + (1 if least else 0) if end.lower() in names else -1 for end in ends
    ]
    return len(ends) <= 2 and all(least <= found <= most for found in numbers) and numbers == sorted(numbers)


LABEL: Final = _text(is_label, "a DNS label")
SUBDOMAIN: Final = _text(is_subdomain, "a DNS name in lower case")
LABEL_VALUE: Final = _text(is_label_value, "a legal label value (63 letters, digits, -, _ and .)")
NAMED: Final = _text(bool, "a name", shown=False)
ADDRESS: Final = _text(is_address, "an IP address")
RANGE: Final = _text(is_range, "a range of addresses")
MAP_KEY: Final = _text(is_map_key, "a legal key (letters, digits, -, _ and .)")
BASE64: Final = _text(is_base64, "base64", shown=False)
PORT: Final = Form(number(1, 65535).admits, "a port from 1 to 65535")
PORT_NAME: Final = _text(lambda value: _PORT_NAME.match(value) is not None, "a port name (15 characters at most)")
PORT_OR_NAME: Final = Form(lambda value: PORT.admits(value) and PORT_NAME.admits(value), "a port from 1 to 65535 or a port name")
PROTOCOL: Final = one_of("TCP", "UDP", "SCTP")
AMOUNT: Final = Form(lambda value: (found := quantity(value)) is not None and found >= 0, "a quantity")
SOME: Final = Form(lambda value: (found := quantity(value)) is not None and found > 0, "a quantity above 0")
SHARE: Final = Form(lambda value: share(value) is not None, "a number or a percentage")
SHARE_OF_ALL: Final = Form(
    lambda value: (found := share(value)) is not None and (isinstance(value, int) or found <= 100), "a number or at most 100%"
)
NOT_EMPTY: Final = Form(lambda value: not isinstance(value, (str, list, tuple)) or len(value) > 0, "given", shown=False)
INSIDE: Final = _text(lambda value: not value.startswith("/") and ".." not in value.split("/"), "relative and without '..'")
NO_WAY_UP: Final = _text(lambda value: bool(value) and ".." not in value.split("/"), "a path without '..'")
MODE: Final = number(0, 511)
USER: Final = number(0, 2**31 - 1)

Tree = dict[str, Any]
"""Step -> Tree or, under `=`, the form of the value here. `[]` is any item, `*` any key; `*=` is the form of the keys."""


def tree(forms: Mapping[str, Form]) -> Tree:
    """A table of forms by dotted place as a tree, so that a walk visits only what an object has."""
    root: Tree = {}
    for place, form in forms.items():
        at = root
        for step in place.replace("[]", ".[]").split("."):
            at = at.setdefault(step, {})
        at["="] = form
    return root


def held(value: Any, forms: Tree, path: Path_) -> Iterator[Misfit]:
    """Every value that is not what its place asks for.

    >>> [m.message for m in held({"a": [{"port": 0}]}, tree({"a[].port": PORT}), ())]
    ['0 is not a port from 1 to 65535']
    """
    if value is None:
        return
    form = forms.get("=")
    if form is not None and not form.admits(value):
        yield Misfit(path=path, message=f"{value!r} is not {form.what}" if form.shown else f"must be {form.what}")
    if isinstance(value, dict):  # plain data: a look at an abstract class would cost more than all else here
        every = forms.get("*")
        for key, child in value.items():
            below = forms.get(str(key), every)
            if below is not None:
                yield from held(child, below, (*path, str(key)))
    elif isinstance(value, (list, tuple)) and (item := forms.get("[]")) is not None:
        for position, child in enumerate(value):
            yield from held(child, item, (*path, position))
