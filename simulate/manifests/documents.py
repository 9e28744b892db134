"""YAML text -> plain values with the place of each; what is no YAML, has no end or stands twice is a problem."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from simulate.problems import InputError, Problem

NODES_LIMIT = 2_000_000


class _Loader(yaml.CSafeLoader):
    """YAML 1.1, but dates, numbers to base 60 and the words yes, no, on and off stay text (`on` is a key of a scenario)."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    return str(node.value) if ":" in node.value else int(loader.construct_yaml_int(node))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    return str(node.value) if ":" in node.value else float(loader.construct_yaml_float(node))


def _flag(loader: _Loader, node: yaml.ScalarNode) -> bool | str:
    return loader.construct_yaml_bool(node) if node.value.lower() in ("true", "false") else str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:bool", _flag)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:value", _text)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its plain value, and its nodes for places (None where the value came from memory)."""

    file: str
    value: Any
    node: yaml.Node | None = None

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column from 1 of the deepest existing part of `path`; (0, 0) where unknown."""
        node = at = self.node
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if isinstance(k, yaml.ScalarNode) and k.value == str(part)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = (node.value[part], node.value[part])
            else:
                found = None
            if found is None:
                break
            at, node = found
        return (at.start_mark.line + 1, at.start_mark.column + 1) if at is not None else (0, 0)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at the place of `path`."""
        line, column = self.place(path)
        return Problem(file=self.file, line=line, column=column, message=message)


def documents(text: str, file: str) -> list[Document]:
    """The documents of a YAML stream that are not empty; InputError with every place where it is not YAML or not finite."""
    loader = _Loader(text)
    found: list[Document] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            faults = [] if node is None else _node_faults(node, file)
            if faults:
                raise InputError(faults)
            value = loader.construct_document(node)
            if value is not None:
                found.append(Document(file=file, value=value, node=node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(
            [Problem(file=file, line=mark.line + 1 if mark else 0, column=mark.column + 1 if mark else 0, message=f"not YAML: {said}")]
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InputError([Problem(file=file, line=0, column=0, message=f"not YAML: {str(error).splitlines()[0]}")]) from None
    except RecursionError:
        raise InputError([Problem(file=file, line=0, column=0, message="nested too deeply")]) from None
    finally:
        loader.dispose()
    return found


def _node_faults(root: yaml.Node, file: str) -> list[Problem]:
    """Cycles, alias bombs and keys that stand twice; looked at on the nodes, before anything is expanded."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    faults: list[Problem] = []

    def fault(node: yaml.Node, message: str) -> None:
        faults.append(Problem(file=file, line=node.start_mark.line + 1, column=node.start_mark.column + 1, message=message))

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_nodes:
            fault(node, "an anchor contains itself")
            return 1
        open_nodes.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                total += size(key) + size(value)
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        fault(key, f"the key {key.value!r} stands twice in one mapping")
                    seen.add(key.value)
        else:
            total += sum(size(item) for item in node.value)
        open_nodes.discard(id(node))
        sizes[id(node)] = total
        return total

    if size(root) > NODES_LIMIT:
        fault(root, f"its anchors expand to more than {NODES_LIMIT} values")
    return faults


def read_text(path: Path) -> tuple[str, str]:
    """Text of a regular file and its SHA-256; InputError names what else it is (directory, FIFO, device), unreadable or not UTF-8."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError([Problem(file=name, line=0, column=0, message="is a directory, a file is wanted")])
        if not stat.S_ISREG(mode) and name != "/dev/null":
            raise InputError([Problem(file=name, line=0, column=0, message="is not a regular file")])
        data = path.read_bytes()
        return data.decode("utf-8-sig"), hashlib.sha256(data).hexdigest()
    except UnicodeDecodeError as error:
        raise InputError([Problem(file=name, line=data[: error.start].count(b"\n") + 1, column=1, message="is not UTF-8 text")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError([Problem(file=name, line=0, column=0, message=f"cannot be read: {reason}")]) from None
