"""ConfigMaps, Secrets, volumes and claims as objects."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from migrate.kube.names import Object, object_of
from migrate.plan.types import Claim, DataObject, Plan


def data_objects(plan: Plan) -> Iterator[Object]:
    """Every ConfigMap and Secret."""
    for made in plan.data.values():
        body: dict[str, Any] = {}
        encoded = {k: base64.b64encode(v).decode("ascii") for k, v in made.binary.items()}
        if made.kind == "Secret":
            body["type"] = "Opaque"
            if encoded:
                body["data"] = encoded
            if made.text:
                body["stringData"] = dict(made.text)
        else:
            if made.text:
                body["data"] = dict(made.text)
            if encoded:
                body["binaryData"] = encoded
        owner = plan.services[made.service].object_name if made.service is not None else None
        annotations = {str(k): str(v) for k, v in made.annotations.items()}
        yield object_of(plan, "v1", made.kind, made.name, body, owner=owner, span=made.span, annotations=annotations)


def claims(plan: Plan) -> Iterator[Object]:
    """Every claim that is no template and exists not yet, and the PersistentVolumes written for claims."""
    for claim in plan.claims.values():
        owner = plan.services[claim.users[0]].object_name if len(claim.users) == 1 else None
        if claim.volume is not None:
            volume = {"capacity": {"storage": claim.size}, **claim.volume}
            volume["claimRef"] = {"namespace": plan.namespace, "name": claim.name}
            name = f"{plan.namespace}-{claim.name}"
            yield object_of(plan, "v1", "PersistentVolume", name, {"spec": volume}, owner=owner, span=claim.span)
            spec = {**claim_spec(claim), "volumeName": name}
            yield object_of(plan, "v1", "PersistentVolumeClaim", claim.name, {"spec": spec}, owner=owner, span=claim.span)
        elif not claim.template and not claim.external:
            yield object_of(
                plan, "v1", "PersistentVolumeClaim", claim.name, {"spec": claim_spec(claim)}, owner=owner, span=claim.span,
                annotations=claim.annotations,
            )  # fmt: skip


def claim_spec(claim: Claim) -> dict[str, Any]:
    """The spec of a claim or a claim template."""
    storage_class = {"storageClassName": claim.storage_class} if claim.storage_class is not None else {}
    selector = {"selector": {"matchLabels": dict(claim.selector)}} if claim.selector else {}
    return {"accessModes": [claim.access_mode], **selector, **storage_class, "resources": {"requests": {"storage": claim.size}}}


def checksum(data: Iterable[DataObject]) -> str:
    """A digest of what these objects hold: 16 hexadecimal digits that change with any byte.

    It is made of one digest an object, so that a template engine can make it again of what it knows and of digests.
    """
    digests = [
        content_digest({**{k: v.encode() for k, v in d.text.items()}, **d.binary}) for d in sorted(data, key=lambda d: (d.kind, d.name))
    ]
    return combined_digest(digests)


def content_digest(content: Mapping[str, bytes]) -> str:
    """16 hexadecimal digits of SHA-256 over keys (in the order of their bytes), lengths and values.

    >>> content_digest({"a": b"1"}) == hashlib.sha256(b"a\\0" + b"1\\0" + b"1").hexdigest()[:16]
    True
    """
    return hashlib.sha256(b"".join(f"{k}\0{len(v)}\0".encode() + v for k, v in sorted(content.items()))).hexdigest()[:16]


def combined_digest(digests: Iterable[str]) -> str:
    """16 hexadecimal digits of SHA-256 over digests in lines."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def used_data(plan: Plan, names: Mapping[tuple[str, str], None]) -> list[DataObject]:
    """The data objects among `names` that this plan writes."""
    return [plan.data[name] for name in names if name in plan.data]
