"""Text to plain data with positions: the place of every value, and how it was written.

`read_yaml` reads YAML as Compose does (`compose-semantics.md` section 5.2: YAML 1.2 scalars and go-yaml's extras) into trees of `Node`:
plain values that know their place. The tree is built from PyYAML's events, not by recursion, so that no nesting of the input
reaches the stack of this process, and an alias shares its anchor's nodes, so that no bomb of aliases reaches its memory.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import yaml

from migrate.description import description
from migrate.findings import Span
from migrate.patterns import late

Path_ = tuple[str | int, ...]

DEEPEST: Final = 100
"""Levels of nesting that a file may have, aliases expanded."""

LARGEST: Final = 300_000
"""Values that a file may have through its aliases beyond those that are written in it."""

MOST: Final = 2_000_000
"""Values that may be written in a file."""

MOST_ENTRIES: Final = 100_000
"""Entries that one list or mapping may have."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@description
class Origin:
    """Where a value stands and, if it is not the value itself, how it was written there (before interpolation and canonical form).

    `derived`: nobody wrote it, it is a default or follows from what stands there.
    """

    span: Span
    written: str | None = None
    derived: bool = False


QUOTED: Final = "!quoted"
"""The tag of a text in quotes, which begins behind its place."""

DERIVED: Final = "!derived"
"""The tag of a value that nobody wrote; a file cannot give it."""

Value: TypeAlias = "str | int | float | bool | dict[str, Node] | list[Node] | None"


class Node:
    """A value with its place. Nodes are shared and never changed after reading.

    `line` and `column` are those of a scalar itself, and of a collection's key where it has one. `written` is the text in the
    file where the value is not that text. `tag` is `!reset`, `!override`, QUOTED, DERIVED or empty. `faults` tell what is wrong with
    the value; they count only if the value survives merging.
    """

    __slots__ = ("_identity", "_words", "column", "faults", "file", "line", "tag", "value", "written")

    def __init__(
        self,
        value: Value,
        file: str = "",
        line: int = 0,
        column: int = 0,
        written: str | None = None,
        tag: str = "",
        faults: tuple[Any, ...] = (),
    ) -> None:
        self.value = value
        self.file = file
        self.line = line
        self.column = column
        self.written = written
        self.tag = tag
        self.faults = faults
        self._words: str | None = None
        self._identity: Any = None

    def __repr__(self) -> str:
        return f"Node({self.value!r} at {self.span})"

    @property
    def span(self) -> Span:
        """The place, as findings want it."""
        return Span(file=self.file, line=self.line, column=self.column)

    def with_value(self, value: Value, *, written: str | None = None, faults: tuple[Any, ...] = ()) -> Node:
        """Another value at the same place; how it was written first is kept, `faults` are added."""
        first = self.written if self.written is not None else written
        return Node(value, self.file, self.line, self.column, first, self.tag, (*self.faults, *faults) if faults else self.faults)

    def derived(self, value: Value) -> Node:
        """A value that nobody wrote and that follows from this one: a default, or what it implies."""
        return Node(value, self.file, self.line, self.column, None, DERIVED, self.faults)

    def at(self, other: Node) -> Node:
        """The same value at the place of another."""
        return Node(self.value, other.file, other.line, other.column, self.written, self.tag, self.faults)

    def count(self) -> int:
        """How many values there are in and below this one, shared ones each time."""
        value = self.value
        if isinstance(value, (dict, list)):
            return 1 + sum(child.count() for child in (value.values() if isinstance(value, dict) else value))
        return 1

    def identity(self, key_of: Callable[[Node], Any]) -> Any:
        """What makes this item of a list the same as another; asked of `key_of` once, because lists are compared again with every file."""
        if self._identity is None:
            self._identity = key_of(self)
        return self._identity

    def words(self) -> str:
        """The value as a text that equal values share; made once, because lists are compared again with every file."""
        if self._words is None:
            self._words = repr(self.plain())
        return self._words

    def plain(self) -> Any:
        """The value without places: dicts, lists and scalars, all new."""
        value = self.value
        if isinstance(value, dict):
            return {key: child.plain() for key, child in value.items()}
        if isinstance(value, list):
            return [child.plain() for child in value]
        return value


class SourceMap:
    """Canonical path -> Origin. A path that is not known answers with its nearest known ancestor.

    Made of a mapping, or (`SourceMap.of`) of a tree of nodes, which is then looked up on demand.
    """

    def __init__(self, origins: Mapping[Path_, Origin], tree: Node | None = None) -> None:
        self._origins = dict(origins)
        self._tree = tree

    @classmethod
    def of(cls, tree: Node) -> SourceMap:
        """The places of all values below `tree`."""
        return cls({}, tree)

    def _walk(self, path: Path_) -> tuple[Node | None, int]:
        """The deepest node on `path` and how many steps lead to it."""
        node = self._tree
        for steps, step in enumerate(path):
            child = _child(node, step)
            if child is None:
                return node, steps
            node = child
        return node, len(path)

    def origin(self, path: Path_) -> Origin | None:
        """The origin of `path` or of its nearest ancestor; None if not even the root is known."""
        for length in range(len(path), -1, -1) if self._origins else ():
            if (found := self._origins.get(path[:length])) is not None:
                return found
        node, steps = self._walk(path)
        if node is None:
            return None
        if steps < len(path):
            return Origin(span=node.span)
        return Origin(span=node.span, written=node.written, derived=node.tag == DERIVED)

    def span(self, *path: str | int) -> Span:
        """The place of `path` (its nearest ancestor's if unknown). An empty map answers line 0 of no file."""
        found = self.origin(path)
        return found.span if found else Span(file="", line=0, column=0)

    def written(self, *path: str | int) -> str | None:
        """The text as it stands in the file, where it differs from the canonical value; of exactly this path."""
        if (found := self._origins.get(path)) is not None:
            return found.written
        node, steps = self._walk(path)
        return node.written if node is not None and steps == len(path) else None


def _child(node: Node | None, step: str | int) -> Node | None:
    value = node.value if node is not None else None
    if isinstance(value, dict):
        return value.get(step) if isinstance(step, str) else None
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return None


@description
class YamlFault:
    """A fault of the text itself; `kind` is its class (`yaml-syntax`, `duplicate-key`, ...), `path` the keys above it."""

    kind: str
    message: str
    span: Span
    path: Path_ = ()
    also: tuple[Span, ...] = ()


class Unreadable(Exception):
    """The text is not YAML; `fault` says why and where."""

    def __init__(self, fault: YamlFault) -> None:
        self.fault = fault
        super().__init__(f"{fault.span}: {fault.message}")


_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER: Final = late(r"([-+]?)(?:0[bB]([01]+)|0[oO]([0-7]+)|0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))\Z")
_FLOAT: Final = late(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_DATE: Final = late(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]{1,9}))?(Z|[-+][0-9]{2}:[0-9]{2})?)?\Z"
)
_MAY_BE_NUMBER: Final = frozenset("+-.0123456789")


def _binary(text: str) -> str:
    """The text that base 64 stands for; the written text if it stands for none."""
    try:
        return b64decode(text).decode()
    except ValueError:
        return text


_TAGGED: Final[Mapping[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
"""What a scalar with one of YAML's own tags must be; with any other tag, `!reset` and `!override` too, it is its text."""


class Timestamp(str):
    """A plain scalar that YAML reads as a point in time; its text is the time as Go prints it."""

    __slots__ = ()


def _timestamp(text: str) -> Timestamp | None:
    """The point in time that a plain text names; None if it names none.

    >>> _timestamp("2024-01-02"), _timestamp("2024-1-2T03:04:05+02:00"), _timestamp("2024-13-01")
    ('2024-01-02 00:00:00 +0000 UTC', '2024-01-02 03:04:05 +0200 +0200', None)
    """
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    offset = "+0000 UTC" if not zone or zone == "Z" else f"{zone.replace(':', '')} {zone.replace(':', '')}"
    rest = fraction.rstrip("0") if fraction else ""
    clock = f"{int(hour or 0):02}:{int(minute or 0):02}:{int(second or 0):02}{'.' + rest if rest else ''}"
    return Timestamp(f"{year}-{int(month):02}-{int(day):02} {clock} {offset}")


def resolve(text: str) -> Any:
    """What a plain scalar means (section 5.2): None, a boolean, a number, or the text itself.

    >>> [resolve(t) for t in ("22:22", "0o17", "0123", "08", "1e3", "yes", "~", "1.10", "1_000", "=")]
    ['22:22', 15, 83, 8.0, 1000.0, 'yes', None, 1.1, 1000, '=']
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAY_BE_NUMBER:
        return text
    digits = text.replace("_", "")
    if found := _INTEGER.match(digits):
        sign, *parts = found.groups()
        base, number = next((base, part) for base, part in zip((2, 8, 16, 8, 10), parts, strict=True) if part is not None)
        value = int(number or "0", base) if len(number) < 80 else 1 << 80
        if sign == "-" and value == 0:
            return -0.0
        if value < 1 << 64 and not (sign == "-" and value > 1 << 63):
            return -value if sign == "-" else value
    if len(digits) < 400 and _FLOAT.match(digits) and abs(number := float(digits)) != float("inf"):
        return number
    return _timestamp(text) or text if text[0].isdigit() else text


def number_text(value: float | int) -> str:
    """A number as Go prints it where text is wanted.

    >>> [number_text(v) for v in (1e6, 1234567.5, 0.0001, 0.00001, 999999.5, 3.0, -0.0, 83)]
    ['1e+06', '1.2345675e+06', '0.0001', '1e-05', '999999.5', '3', '-0', '83']
    """
    if isinstance(value, int):
        return str(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = _decimal(value)
    if value != 0 and (exponent < -4 or exponent >= 6):
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    rest = digits[exponent + 1 :]
    return f"{sign}{whole}{'.' + rest if rest else ''}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits without trailing zeros, and the decimal exponent of the first digit."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    lead = len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0") or "0"
    return sign, digits, (point - lead - 1 if digits != "0" else 0)


class _Frame:
    """A collection that is being read."""

    __slots__ = ("anchor", "entries", "height", "key", "key_node", "lines", "merges", "node", "size")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None
        self.key_node: Node | None = None
        self.lines: dict[str, Node] = {}
        self.merges: list[Node] = []
        self.size = 1
        self.height = 1
        self.entries = 0


def read_yaml(text: str, file: str) -> tuple[list[Node], list[YamlFault]]:
    """The documents of a text, and the faults beside which it could be read (keys given twice or that are no strings).

    `file` is the name for messages. Raises Unreadable for what is no YAML, for aliases inside their own anchor, and for texts beyond
    DEEPEST and LARGEST. Of a key given twice the last is taken; a key that is no string is read as text.

    >>> documents, faults = read_yaml("a: {b: 0o17}\\n", "f.yaml")
    >>> documents[0].plain(), str(documents[0].value["a"].value["b"].span), faults
    ({'a': {'b': 15}}, 'f.yaml:1:8', [])
    """
    documents, faults, _ = read_within(text, file, LARGEST)
    return documents, faults


def read_within(text: str, file: str, largest: int) -> tuple[list[Node], list[YamlFault], int]:
    """As `read_yaml`, with `largest` values at most through aliases, and how many there were."""
    reader = _Reader(file, largest)
    try:
        reader.read(_Loader(text))
    except yaml.YAMLError as error:
        raise Unreadable(_syntax_fault(error, text, file)) from None
    except RecursionError:
        raise Unreadable(YamlFault(kind="yaml-syntax", message="nested too deeply", span=Span(file=file, line=1, column=1))) from None
    return reader.documents, reader.faults, reader.expanded


def _syntax_fault(error: yaml.YAMLError, text: str, file: str) -> YamlFault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    if context := getattr(error, "context", None):
        problem = f"{problem} ({context})"
    if mark is not None:
        return YamlFault(kind="yaml-syntax", message=str(problem), span=Span(file=file, line=mark.line + 1, column=mark.column + 1))
    position = getattr(error, "position", None)
    before = text[:position] if isinstance(position, int) else ""
    line = before.count("\n") + 1
    return YamlFault(kind="yaml-syntax", message=str(problem), span=Span(file=file, line=line, column=len(before) - before.rfind("\n")))


class _Reader:
    """Events to trees; lives for one text."""

    def __init__(self, file: str, largest: int) -> None:
        self.file = file
        self.expanded = 0
        self._largest = largest
        self.documents: list[Node] = []
        self.faults: list[YamlFault] = []
        self._frames: list[_Frame] = []
        self._open: set[str] = set()
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._written = 0
        self._takers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def read(self, loader: Any) -> None:
        """Take every event of the text."""
        takers, following = self._takers, loader.get_event
        try:
            while (event := following()) is not None:
                if (taker := takers.get(type(event))) is not None:
                    taker(event)
        finally:
            loader.dispose()

    def _document(self, event: Any) -> None:
        if event.version not in (None, (1, 1)):
            raise self._refuse("yaml-syntax", "the real program reads no %YAML directive but that of 1.1", event.start_mark)
        self._anchors = {}
        self._open = set()

    def _refuse(self, kind: str, message: str, mark: Any) -> Unreadable:
        return Unreadable(YamlFault(kind=kind, message=message, span=self._span(mark), path=self._path()))

    def _span(self, mark: Any) -> Span:
        return Span(file=self.file, line=mark.line + 1, column=mark.column + 1)

    def _path(self) -> Path_:
        steps: list[str | int] = []
        for frame in self._frames:
            if isinstance(frame.node.value, list):
                steps.append(len(frame.node.value))
            elif frame.key is not None:
                steps.append(frame.key)
        return tuple(steps)

    def _too_many(self, node: Node) -> Unreadable:
        message = f"a list or mapping of more than {MOST_ENTRIES} entries"
        return Unreadable(YamlFault(kind="yaml-syntax", message=message, span=node.span, path=self._path()[:-1]))

    def _count(self, mark: Any) -> None:
        self._written += 1
        if self._written > MOST:
            raise self._refuse("yaml-syntax", f"a file of more than {MOST} values", mark)

    def _scalar(self, event: Any) -> None:
        text, tag, mark = event.value, event.tag, event.start_mark
        value: Any = text
        if tag is None:
            if event.style is None or event.style == "":
                value = resolve(text)
        elif tag in _TAGGED:
            value = resolve(text) if text else None
            if text and type(value) not in _TAGGED[tag]:
                raise self._refuse("yaml-syntax", f"{text[:40]!r} is no {tag.rpartition(':')[2]}, as its tag says", mark)
        elif tag == "tag:yaml.org,2002:timestamp":
            value = _timestamp(text) or text
        elif tag == "tag:yaml.org,2002:binary":
            value = _binary(text)
        node = Node(value, self.file, mark.line + 1, mark.column + 1, None if value is text else text)
        if tag in ("!reset", "!override"):
            node.tag = tag
        elif event.style in ("'", '"'):
            node.tag = QUOTED
        self._count(mark)
        self._finished(node, event.anchor, 1, 0, plain=tag is None and not event.style)

    def _start(self, event: Any) -> None:
        mark = event.start_mark
        if len(self._frames) >= DEEPEST:
            raise self._refuse("yaml-syntax", f"nested deeper than {DEEPEST} levels", mark)
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], self.file, mark.line + 1, mark.column + 1)
        if event.tag in ("!reset", "!override"):
            node.tag = event.tag
        self._count(mark)
        frame = _Frame(node, event.anchor)
        if event.anchor is not None:
            self._open.add(event.anchor)
        self._frames.append(frame)

    def _end(self, event: Any) -> None:
        frame = self._frames.pop()
        if frame.merges:
            frame.node.value = self._merged(frame)
        if frame.anchor is not None:
            self._open.discard(frame.anchor)
        self._finished(frame.node, frame.anchor, frame.size, frame.height, plain=False)

    def _merged(self, frame: _Frame) -> dict[str, Node]:
        """Local keys and, behind them, those of `<<` (R23): the earlier mapping wins."""
        values = dict(frame.node.value)  # type: ignore[arg-type]
        for source in frame.merges:
            parts = source.value if isinstance(source.value, list) else [source]
            for part in parts:
                if not isinstance(part.value, dict):
                    fault = YamlFault(
                        kind="yaml-syntax", message="map merge requires map or sequence of maps as the value", span=source.span
                    )
                    raise Unreadable(fault)
                for key, child in part.value.items():
                    values.setdefault(key, child)
        return values

    def _alias(self, event: Any) -> None:
        name, mark = event.anchor, event.start_mark
        if name in self._open:
            raise self._refuse("yaml-alias-cycle", f"anchor {name!r} contains its own alias", mark)
        if name not in self._anchors:
            raise self._refuse("yaml-syntax", f"unknown anchor {name!r} referenced", mark)
        node, size, height = self._anchors[name]
        self.expanded += size
        if self.expanded > self._largest:
            raise self._refuse("yaml-syntax", f"aliases expand to more than {self._largest} values", mark)
        if len(self._frames) + height > DEEPEST:
            raise self._refuse("yaml-syntax", f"nested deeper than {DEEPEST} levels", mark)
        self._finished(node, None, size, height, plain=False)

    def _finished(self, node: Node, anchor: str | None, size: int, height: int, *, plain: bool) -> None:
        """Hand a complete value to the collection around it, or to the documents."""
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        if not self._frames:
            self.documents.append(node)
            return
        frame = self._frames[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
            if len(frame.node.value) > MOST_ENTRIES:
                raise self._too_many(node)
        elif frame.key_node is None:
            self._key(frame, node, plain=plain)
        else:
            self._entry(frame, node)

    def _key(self, frame: _Frame, node: Node, *, plain: bool) -> None:
        key = node.value
        frame.key_node = node
        if isinstance(key, str) and not isinstance(key, Timestamp):
            frame.key = "<<" if key != "<<" or plain else '"<<"'
            if key != "<<":
                frame.key = key
            return
        text = node.written if node.written is not None else ""
        if isinstance(key, (dict, list)):
            text = "(a collection)"
        frame.key = text
        message = f"key {text or 'null'} is not a string"
        self.faults.append(YamlFault(kind="non-string-key", message=message, span=node.span, path=self._path()[:-1]))

    def _entry(self, frame: _Frame, node: Node) -> None:
        key, key_node = frame.key, frame.key_node
        frame.key = frame.key_node = None
        values = frame.node.value
        if key is None or key_node is None or not isinstance(values, dict):
            return
        if key == "<<":
            if frame.merges:
                message = f"key '<<' stands here and already in line {frame.merges[0].line}"
                self.faults.append(YamlFault(kind="duplicate-key", message=message, span=key_node.span, path=self._path()))
            frame.merges.append(node.at(key_node))
            return
        frame.entries += 1
        if frame.entries > MOST_ENTRIES:
            raise self._too_many(key_node)
        key = "<<" if key == '"<<"' else key
        if (first := frame.lines.get(key)) is not None:
            frame.key = key
            fault = YamlFault(
                kind="duplicate-key",
                message=f"key {key!r} stands here and already in line {first.line}; the last one is taken",
                span=key_node.span,
                path=self._path(),
                also=(first.span,),
            )
            frame.key = None
            self.faults.append(fault)
        frame.lines[key] = key_node
        if isinstance(node.value, (dict, list)) or node.value is None:
            node = node.at(key_node)
        values[key] = node


def walk(node: Node, path: Path_ = ()) -> Iterator[tuple[Path_, Node]]:
    """Every value below `node` with its path, in the order of the text."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, (*path, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, (*path, index))
