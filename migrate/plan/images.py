"""Image references, pull policy, pull secrets (conversion.md 2.15, Image)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.katenary import scheduled_of
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
    labelled = (scheduled_of(service.labels) or {}).get("image")
    reference = str(answers.services.get(service.name, {}).get("image") or labelled or service.image or "")
    if service.build is not None:
        if not reference:
            registry = str(answers.project.get("registry") or "").rstrip("/")
            tag = answers.project.get("tag") or "latest"
            reference = f"{registry + '/' if registry else ''}{stack.project.name}-{service.name.lower()}:{tag}"
        notes.find("MIG901", f"image {reference} must be built", "build", advice=build_command(service.build, reference, stack))
        for index, tag in enumerate(service.build.get("tags") or ()):
            if tag != reference:
                notes.find("MIG903", f"the image is also pushed as {tag}", "build", "tags", index, action=Action.MAPPED)
    if reference and answers.images and (new := replaced(reference, answers.images)) != reference:
        notes.find("MIG903", f"image {reference} is taken from {new}", "image", action=Action.REWRITTEN)
        notes.decide("image", new, "plan", "images of the plan", notes.span("image"))
        reference = new
    if reference and not has_fixed_tag(reference):
        notes.find("MIG902", f"image {reference} has no fixed tag", "image", action=Action.MAPPED)
    policy = _policy(member, notes)
    secrets = [s for s in (notes.named_by_label("kompose.image-pull-secret"), *(answers.project.get("imagePullSecrets") or ())) if s]
    if secrets:
        notes.find("MIG905", f"image pull secrets: {', '.join(secrets)}", "image", action=Action.MAPPED)
    return notes.done(Image(reference=reference, pull_policy=policy, pull_secrets=tuple(dict.fromkeys(secrets))))


_FLAGS: Final[Mapping[str, str]] = {
    "target": "--target", "network": "--network", "shm_size": "--shm-size", "isolation": "--isolation", "provenance": "--provenance",
    "sbom": "--sbom",
}  # fmt: skip
_SWITCHES: Final[Mapping[str, str]] = {"no_cache": "--no-cache", "pull": "--pull"}
_LISTS: Final[Mapping[str, str]] = {
    "cache_from": "--cache-from", "cache_to": "--cache-to", "entitlements": "--allow", "no_cache_filter": "--no-cache-filter",
    "tags": "--tag", "platforms": "--platform",
}  # fmt: skip
_MAPS: Final[Mapping[str, tuple[str, str]]] = {
    "additional_contexts": ("--build-context", "="), "extra_hosts": ("--add-host", ":"), "labels": ("--label", "="),
}  # fmt: skip


def build_command(build: Mapping[str, Any], reference: str, stack: Stack) -> str:
    """The commands that build and push an image, with every key of `build` but the values of its arguments, which may be secret."""
    root = str(stack.project.directory)

    def shown(path: object) -> str:
        return "." if str(path) == root else str(path).replace(f"{root}/", "./")

    words = ["docker", "buildx", "build", "--load", "--tag", reference]
    if build.get("dockerfile_inline"):
        words += ["--file", "-"]
    elif build.get("dockerfile") not in (None, "Dockerfile"):
        words += ["--file", shown(Path(str(build.get("context") or root), str(build["dockerfile"])))]
    words += [
        w
        for key, flag in _FLAGS.items()
        if build.get(key) not in (None, "", False)
        for w in (flag, str(build[key]).lower() if build[key] is True else str(build[key]))
    ]
    words += [flag for key, flag in _SWITCHES.items() if build.get(key)]
    words += [w for key, flag in _LISTS.items() for entry in _listed(build.get(key)) if entry != reference for w in (flag, entry)]
    words += [w for name in _names(build.get("args")) for w in ("--build-arg", name)]
    for key, (flag, sign) in _MAPS.items():
        words += [w for name, value in _pairs(build.get(key)) for w in (flag, f"{name}{sign}{shown(value)}")]
    words += [w for name in _names(build.get("ssh")) for w in ("--ssh", name)]
    words += [
        w
        for use in build.get("secrets") or ()
        if isinstance(use, Mapping)
        for w in ("--secret", f"id={use.get('target') or use.get('source')}")
    ]
    words += [w for name, limit in _pairs(build.get("ulimits")) for w in ("--ulimit", f"{name}={_limit(limit)}")]
    words += ["--allow", "security.insecure"] if build.get("privileged") else []
    return f"{shlex.join([*words, shown(build.get('context') or root)])} && docker push {reference}"


def _listed(said: Any) -> list[str]:
    return [str(s) for s in said] if isinstance(said, (list, tuple)) else [] if said in (None, "", False, True) else [str(said)]


def _names(said: Any) -> list[str]:
    return [str(k) for k in said] if isinstance(said, Mapping) else [str(s).partition("=")[0] for s in _listed(said)]


def _pairs(said: Any) -> list[tuple[str, Any]]:
    if isinstance(said, Mapping):
        return [(str(k), v) for k, one in said.items() for v in (one if isinstance(one, list) else [one])]
    return [(name, value) for name, _, value in (str(s).partition("=") for s in _listed(said))]


def _limit(said: Any) -> str:
    return f"{said.get('soft')}:{said.get('hard')}" if isinstance(said, Mapping) else str(said)


def _policy(member: Member, notes: Notes) -> str | None:
    key = "kompose.image-pull-policy"
    labelled = member.service.labels.get(key)
    if labelled in ("Always", "Never", "IfNotPresent"):
        return labelled
    if labelled is not None:
        notes.find("MIG009", f"label {key}: {labelled!r} is not Always, Never or IfNotPresent", "labels", key, action=Action.DROPPED)
    said = str(member.service.data.get("pull_policy") or "")
    if not said:
        return None
    if said in _POLICIES:
        return _POLICIES[said]
    notes.find("MIG904", f"pull policy {said} became Always", "pull_policy")
    return "Always"
