"""How the objects are WRITTEN: manifests -> FileTree (path -> text); `save` is the one function that touches the disk.

`WRITERS` names the forms of a tree. A tree is written whole or not at all, into a folder that is new, empty or this program's own;
what others wrote there is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from migrate.write.dump import dump, dump_stream
from migrate.write.plain import plain
from migrate.write.tree import File, FileTree, Saved, difference, save

WRITERS: Final[Mapping[str, Callable[[Sequence[Mapping[str, Any]]], FileTree]]] = {"plain": plain}

__all__ = ["WRITERS", "File", "FileTree", "Saved", "difference", "dump", "dump_stream", "plain", "save"]
