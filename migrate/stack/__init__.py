"""What the stack means: names, ports, mounts, texts and who refers to whom (conversion.md section 1).

`resolve` reads the typed project and the files beside it, and decides nothing.
"""

from migrate.stack.types import (
    ClassifiedMount,
    Context,
    Dockerfile,
    Kind,
    KnownPort,
    Member,
    MountClass,
    Occurrence,
    Place,
    Reference,
    Stack,
    Text,
)

from migrate.stack.meaning import resolve  # isort: skip

__all__ = [
    "ClassifiedMount",
    "Context",
    "Dockerfile",
    "Kind",
    "KnownPort",
    "Member",
    "MountClass",
    "Occurrence",
    "Place",
    "Reference",
    "Stack",
    "Text",
    "resolve",
]
