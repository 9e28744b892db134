"""A small interpreter of the part of Go templates that our charts use, written from the documentation of text/template and Helm.

It stands in for `helm template` where no helm is; `tests/live/test_writers_live.py` holds the real one to the same charts. What it does
not know it refuses.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from migrate.write import FileTree

_ACTION = re.compile(r"\{\{(-?)((?:\s*/\*.*?\*/\s*)|(?:\"(?:[^\"\\]|\\.)*\"|[^\"])*?)(-?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(\"(?:[^\"\\]|\\.)*\"|\||\(|\)|-?\d+|\$?[A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+|\$[A-Za-z0-9_]*|\.|[A-Za-z_]\w*)"
)


@dataclass
class Node:
    """A piece of a template: `kind` is text, say, set, if, with, range or define."""

    kind: str
    text: str = ""
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


def pieces(source: str) -> Iterator[tuple[str, str]]:
    """(`text` or `action`, content), the space beside `{{-` and `-}}` taken away."""
    position, trim = 0, False
    for match in _ACTION.finditer(source):
        text = source[position : match.start()]
        text = text.lstrip() if trim else text
        yield "text", text.rstrip() if match[1] else text
        if not match[2].strip().startswith("/*"):
            yield "action", match[2].strip()
        position, trim = match.end(), bool(match[3])
    yield "text", source[position:].lstrip() if trim else source[position:]


def parsed(source: str) -> list[Node]:
    """The nodes of a template."""
    root = Node("root")
    stack: list[tuple[Node, list[Node]]] = [(root, root.body)]
    for kind, content in pieces(source):
        if kind == "text":
            stack[-1][1].append(Node("text", content))
            continue
        verb, _, rest = content.partition(" ")
        if verb in ("if", "with", "range", "define"):
            node = Node(verb, rest)
            stack[-1][1].append(node)
            stack.append((node, node.body))
        elif verb == "else":
            stack[-1] = (stack[-1][0], stack[-1][0].otherwise)
        elif verb == "end":
            stack.pop()
        elif re.match(r"\$\w+ :?= ", content):
            stack[-1][1].append(Node("set", content))
        else:
            stack[-1][1].append(Node("say", content))
    assert len(stack) == 1, "a block without its end"
    return root.body


class Chart:
    """A chart in memory, rendered with values over its own."""

    def __init__(self, tree: FileTree) -> None:
        self.files = {name: file.data for name, file in tree.files.items()}
        self.values: dict[str, Any] = yaml.safe_load(self.files["values.yaml"])
        self.schema: dict[str, Any] = json.loads(self.files["values.schema.json"])
        self.defined: dict[str, list[Node]] = {}
        for node in parsed(self.files["templates/_helpers.tpl"].decode()):
            if node.kind == "define":
                self.defined[json.loads(node.text)] = node.body

    def render(self, changes: Mapping[str, Any] | None = None, namespace: str = "default") -> list[dict[str, Any]]:
        """The objects, in the order of the files."""
        root = {"Values": merged(self.values, changes or {}), "Release": {"Namespace": namespace}, "Files": self}
        found = []
        for nodes in self.templates:
            text = self.run(nodes, root, {"$": root})
            found += [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]
        return found

    @functools.cached_property
    def templates(self) -> list[list[Node]]:
        """The template files in their order, parsed."""
        names = sorted(name for name in self.files if name.startswith("templates/") and name.endswith(".yaml"))
        return [parsed(self.files[name].decode()) for name in names]

    @functools.cached_property
    def plain(self) -> list[dict[str, Any]]:
        """The objects with the chart's own values."""
        return self.render()

    def run(self, nodes: list[Node], dot: Any, variables: dict[str, Any]) -> str:
        """The text of nodes; `variables` of the scope are changed by `set`."""
        return "".join(self._node(node, dot, variables) for node in nodes)

    def _node(self, node: Node, dot: Any, variables: dict[str, Any]) -> str:
        match node.kind:
            case "text":
                return node.text
            case "say":
                value = self.evaluate(node.text, dot, variables)
                return "" if value is None else str(value)
            case "set":
                name, _, expression = re.split(r" (:?=) ", node.text, maxsplit=1)
                variables[name] = self.evaluate(expression, dot, variables)
                return ""
            case "if":
                chosen = node.body if self.evaluate(node.text, dot, variables) else node.otherwise
                return self.run(chosen, dot, variables)
            case "with":
                value = self.evaluate(node.text, dot, variables)
                return self.run(node.body, value, variables) if value else self.run(node.otherwise, dot, variables)
            case "range":
                return self._range(node, dot, variables)
        raise AssertionError(node.kind)

    def _range(self, node: Node, dot: Any, variables: dict[str, Any]) -> str:
        names, _, expression = node.text.rpartition(" := ")
        over = self.evaluate(expression, dot, variables)
        entries = sorted(over.items()) if isinstance(over, dict) else list(enumerate(over or ()))
        said = [name.strip() for name in names.split(",")] if names else []
        text = ""
        for key, value in entries:
            variables.update(zip(said, (key, value) if len(said) == 2 else (value,), strict=False))
            text += self.run(node.body, value, variables)
        return text

    # ---------------------------------------------------------- expressions

    def evaluate(self, text: str, dot: Any, variables: dict[str, Any]) -> Any:
        """The value of a pipeline."""
        tokens, position = [], 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match, f"cannot read {text[position:]!r}"
            tokens.append(match[1])
            position = match.end()
        value, rest = self._pipeline(tokens, dot, variables)
        assert not rest, f"left over: {rest}"
        return value

    def _pipeline(self, tokens: list[str], dot: Any, variables: dict[str, Any]) -> tuple[Any, list[str]]:
        value, tokens = self._command(tokens, dot, variables, ())
        while tokens and tokens[0] == "|":
            value, tokens = self._command(tokens[1:], dot, variables, (value,))
        return value, tokens

    def _command(self, tokens: list[str], dot: Any, variables: dict[str, Any], last: tuple[Any, ...]) -> tuple[Any, list[str]]:
        head = tokens[0]
        if re.fullmatch(r"[A-Za-z]\w*", head):
            arguments, tokens = self._arguments(tokens[1:], dot, variables)
            return self._call(head, (*arguments, *last), variables), tokens
        if head == "$.Files.Get":
            (path,), tokens = self._arguments(tokens[1:], dot, variables)
            return self.files[path], tokens
        value, tokens = self._operand(tokens, dot, variables)
        assert not last, "a value takes no argument"
        return value, tokens

    def _arguments(self, tokens: list[str], dot: Any, variables: dict[str, Any]) -> tuple[list[Any], list[str]]:
        found = []
        while tokens and tokens[0] not in ("|", ")"):
            value, tokens = self._operand(tokens, dot, variables)
            found.append(value)
        return found, tokens

    def _operand(self, tokens: list[str], dot: Any, variables: dict[str, Any]) -> tuple[Any, list[str]]:
        head, rest = tokens[0], tokens[1:]
        if head == "(":
            value, rest = self._pipeline(rest, dot, variables)
            assert rest[0] == ")"
            return value, rest[1:]
        if head.startswith('"'):
            return json.loads(re.sub(r"\\x(..)", r"\\u00\1", head)), rest
        if re.fullmatch(r"-?\d+", head):
            return int(head), rest
        if head == ".":
            return dot, rest
        name, *keys = head.split(".")
        value = variables[name] if name else dot
        for key in keys:
            assert isinstance(value, dict), f"{head}: {key} of {type(value).__name__}"
            value = value.get(key)
        return value, rest

    def _call(self, name: str, arguments: tuple[Any, ...], variables: dict[str, Any]) -> Any:
        if name == "include":
            return self.run(self.defined[arguments[0]], arguments[1], {"$": arguments[1]})
        return _FUNCTIONS[name](*arguments)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values: mappings key by key, anything else replaced."""
    both = {**one, **other}
    return {k: merged(one[k], v) if isinstance(v, dict) and isinstance(one.get(k), dict) else v for k, v in both.items()}


def _json(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else value
    return json.dumps(text, ensure_ascii=False).replace("\u2028", r"\u2028").replace("\u2029", r"\u2029")  # as Go writes them


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _printf(form: str, *arguments: Any) -> bytes:
    """With %s and %d alone; the text as bytes, which a Go string is."""
    values = iter(arguments)
    parts = re.split(r"(%[sd])", form)
    return b"".join(_bytes(next(values)) if part in ("%s", "%d") else part.encode("latin-1") for part in parts)


def _to_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=True, allow_unicode=True, width=10**9)
    return text.rstrip("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": lambda *a: next((x for x in a if not x), a[-1]),
    "b64enc": lambda text: base64.b64encode(_bytes(text)).decode(),
    "default": lambda standard, given=None: given or standard,
    "dict": lambda *a: dict(zip(a[::2], a[1::2], strict=True)),
    "eq": lambda a, b: a == b,
    "index": lambda value, *keys: _index(value, keys),
    "join": lambda separator, values: separator.join(values),
    "len": lambda value: len(_bytes(value)),
    "list": lambda *a: list(a),
    "ne": lambda a, b: a != b,
    "nindent": lambda count, text: "\n" + "\n".join(" " * count + line for line in str(text).split("\n")),
    "not": lambda a: not a,
    "or": lambda *a: next((x for x in a if x), a[-1]),
    "pick": lambda value, *keys: {key: value[key] for key in keys if key in value},
    "printf": lambda form, *a: _plain(_printf(form, *a)),
    "sha256sum": lambda text: hashlib.sha256(_bytes(text)).hexdigest(),
    "ternary": lambda yes, no, test: yes if test else no,
    "toJson": _json,
    "toYaml": _to_yaml,
    "trimAll": lambda cut, text: text.strip(cut),
    "trunc": lambda count, text: text[:count],
}


def _index(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[key]
    return value
