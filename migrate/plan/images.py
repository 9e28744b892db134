"""Image references, pull policy, pull secrets (conversion.md 2.15, Image)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import Image
from migrate.stack import Member, Stack

_POLICIES: Final[Mapping[str, str]] = {
    "always": "Always",
    "never": "Never",
    "missing": "IfNotPresent",
    "if_not_present": "IfNotPresent",
    "build": "IfNotPresent",
}


def normalised(reference: str) -> str:
    """An image reference with its registry, as pulls resolve it.

    >>> normalised("redis:7"), normalised("a/b"), normalised("localhost:5000/x")
    ('docker.io/library/redis:7', 'docker.io/a/b', 'localhost:5000/x')
    """
    first, slash, _ = reference.partition("/")
    if not slash:
        return f"docker.io/library/{reference}"
    return reference if "." in first or ":" in first or first == "localhost" else f"docker.io/{reference}"


def replaced(reference: str, rules: Sequence[Mapping[str, str]]) -> str:
    """The reference after the plan's `images`: the longest matching prefix of the normalised reference wins.

    >>> replaced("redis:7", [{"match": "docker.io/library/", "replace": "mirror.example/"}])
    'mirror.example/redis:7'
    """
    full = normalised(reference)
    matching = [r for r in rules if full.startswith(r["match"])]
    if not matching:
        return reference
    best = max(matching, key=lambda r: len(r["match"]))
    return best["replace"] + full.removeprefix(best["match"])


def has_fixed_tag(reference: str) -> bool:
    """Whether a tag other than `latest`, or a digest, is given.

    >>> has_fixed_tag("a/b"), has_fixed_tag("h:5000/b:1"), has_fixed_tag("b@sha256:0")
    (False, True, True)
    """
    tag = reference.rsplit("/", 1)[-1].partition(":")[2]
    return "@" in reference or tag not in ("", "latest")


def decide_image(stack: Stack, member: Member, answers: Answers) -> Decided[Image]:
    """The image of one service, as it is pulled in the cluster."""
    service = member.service
    notes = Notes(stack.project, service)
    reference = str(answers.services.get(service.name, {}).get("image") or service.image or "")
    if service.build is not None:
        if not reference:
            registry = str(answers.project.get("registry") or "").rstrip("/")
            tag = answers.project.get("tag") or "latest"
            reference = f"{registry + '/' if registry else ''}{stack.project.name}-{service.name.lower()}:{tag}"
        context = service.build.get("context") or "."
        shown = "." if str(context) == str(stack.project.directory) else str(context).replace(f"{stack.project.directory}/", "./")
        notes.find(
            "MIG901", f"image {reference} must be built", "build", advice=f"docker build -t {reference} {shown} && docker push {reference}"
        )
    if reference and answers.images and (new := replaced(reference, answers.images)) != reference:
        notes.find("MIG903", f"image {reference} is taken from {new}", "image", action=Action.REWRITTEN)
        notes.decide("image", new, "plan", "images of the plan", notes.span("image"))
        reference = new
    if reference and not has_fixed_tag(reference):
        notes.find("MIG902", f"image {reference} has no fixed tag", "image", action=Action.MAPPED)
    policy = _policy(member, notes)
    secrets = [s for s in (service.labels.get("kompose.image-pull-secret"), *(answers.project.get("imagePullSecrets") or ())) if s]
    if secrets:
        notes.find("MIG905", f"image pull secrets: {', '.join(secrets)}", "image", action=Action.MAPPED)
    return notes.done(Image(reference=reference, pull_policy=policy, pull_secrets=tuple(dict.fromkeys(secrets))))


def _policy(member: Member, notes: Notes) -> str | None:
    labelled = member.service.labels.get("kompose.image-pull-policy")
    if labelled in ("Always", "Never", "IfNotPresent"):
        return labelled
    said = str(member.service.data.get("pull_policy") or "")
    if not said:
        return None
    if said in _POLICIES:
        return _POLICIES[said]
    notes.find("MIG904", f"pull policy {said} became Always", "pull_policy")
    return "Always"
