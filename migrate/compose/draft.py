"""The project while it is being completed and checked: services and resources as mappings of nodes. Machinery of one load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from migrate.source import Node

SECTIONS: Final = ("networks", "volumes", "secrets", "configs", "models")

Service_ = dict[str, Node]


@dataclass(slots=True, kw_only=True)
class Draft:
    """`services` are the enabled ones, `disabled` those of inactive profiles; `spans` the node of each service's key.

    `named` is what the files call the project. `resources` holds the top-level sections by name.
    """

    name: str
    directory: str
    services: dict[str, Service_]
    disabled: dict[str, Service_] = field(default_factory=dict)
    spans: dict[str, Node] = field(default_factory=dict)
    resources: dict[str, dict[str, Node]] = field(default_factory=dict)
    extensions: dict[str, Node] = field(default_factory=dict)
    named: Node | None = None


def draft_of(tree: Node, name: str, directory: str) -> Draft:
    """The settled tree as a draft; its top-level `name` and `version` are spent."""
    top = tree.value if isinstance(tree.value, dict) else {}
    services = members(top.get("services"))
    return Draft(
        name=name,
        directory=directory,
        services={key: dict(members(node)) for key, node in services.items()},
        spans=dict(services),
        resources={section: dict(members(top.get(section))) for section in SECTIONS},
        extensions={key: node for key, node in top.items() if key.startswith("x-")},
        named=top.get("name"),
    )


def members(node: Node | None) -> dict[str, Node]:
    """The entries of a mapping node; none for anything else."""
    return node.value if node is not None and isinstance(node.value, dict) else {}


def items(node: Node | None) -> list[Node]:
    """The items of a list node; none for anything else."""
    return node.value if node is not None and isinstance(node.value, list) else []


def text(node: Node | None) -> str | None:
    """The text of a node; None if it is none."""
    return node.value if node is not None and isinstance(node.value, str) else None


def member_text(node: Node | None, key: str) -> str | None:
    """The text of an entry of a mapping node."""
    return text(members(node).get(key))


def with_members(node: Node, **values: Node) -> Node:
    """The mapping node with these entries added or replaced."""
    return node.with_value({**members(node), **values})
