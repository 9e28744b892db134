"""How the objects are WRITTEN: manifests -> FileTree (path -> text); `save` is the one function that touches the disk.

`FORMS` names the forms of a tree. A tree is written whole or not at all, into a folder that is new, empty or this program's own;
what others wrote there is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrate.write.dump import dump, dump_stream
from migrate.write.plain import plain
from migrate.write.tree import File, FileTree, Saved, difference, save

FORMS: Final = ("plain", "kustomize", "helm")

__all__ = ["FORMS", "File", "FileTree", "Saved", "difference", "dump", "dump_stream", "plain", "save", "tree_of"]


def tree_of(
    manifests: Sequence[Mapping[str, Any]], form: str, environments: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
) -> FileTree:
    """The tree in one of `FORMS`. `environments` are the objects of each environment by its name: what Kustomize's overlays build.

    Raises ValueError for a form that there is not.
    """
    if form == "plain":
        return plain(manifests)
    if form == "kustomize":
        from migrate.write.kustomize import kustomize

        return kustomize(manifests, environments)
    if form == "helm":
        from migrate.write.helm import helm

        return helm(manifests)
    raise ValueError(f"form {form!r} is none of {', '.join(FORMS)}")
