"""Strongly connected components: what lies on a cycle of waits or references."""

from __future__ import annotations

from collections.abc import Mapping


def components(edges: Mapping[str, list[str]]) -> Mapping[str, int]:
    """The number of the strongly connected component of every node (Tarjan, without recursion).

    >>> c = components({"a": ["b"], "b": ["a"], "c": ["a"]})
    >>> c["a"] == c["b"], c["a"] == c["c"]
    (True, False)
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    path: list[str] = []
    found: dict[str, int] = {}
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges.get(root, ())))]
        index[root] = low[root] = len(index)
        path.append(root)
        on_stack.add(root)
        while work:
            node, children = work[-1]
            for child in children:
                if child not in index:
                    index[child] = low[child] = len(index)
                    path.append(child)
                    on_stack.add(child)
                    work.append((child, iter(edges.get(child, ()))))
                    break
                if child in on_stack:
                    low[node] = min(low[node], index[child])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    number = len(found)
                    while True:
                        member = path.pop()
                        on_stack.discard(member)
                        found[member] = number
                        if member == node:
                            break
    return found
