"""Every stack of the corpus, in every form: the API server takes each object as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from migrate import live
from tests.live.cluster import Cluster, Space
from tests.oracle import corpus

SHARES = 24


def refused(cluster: Cluster, manifests: Sequence[dict[str, Any]]) -> list[str]:
    """What the server says against the objects, or warns of, a line each."""
    found = []
    for judged in live.dry_run(cluster.server, manifests):
        thing = manifests[judged.position]
        subject = f"{thing['kind']} {thing['metadata']['name']}"
        found += [f"{subject}: {refusal.path}: {refusal.message}" for refusal in judged.refusals]
        found += [f"{subject}: warning: {text}" for text in judged.warnings]
        if judged.unserved or judged.lacking:
            found.append(f"{subject}: not judged")
    return found


def others(cluster: Cluster, conversion: migrate.Conversion, folder: Path) -> list[dict[str, Any]]:
    """The objects of the other two forms, as the real tools render them, that differ from those of the plain one."""
    conversion.write(folder / "kustomize", form="kustomize")
    conversion.write(folder / "helm", form="helm")
    built = cluster.kubectl("kustomize", str(folder / "kustomize" / "overlays" / "production"))
    rendered = cluster.helm("template", "release", str(folder / "helm"))
    assert built.code == 0, built.err
    assert rendered.code == 0, rendered.err
    things = [thing for text in (built.out, rendered.out) for thing in yaml.load_all(text, Loader=yaml.CSafeLoader) if thing]
    plain = {(thing["kind"], thing["metadata"]["name"]): thing for thing in conversion.manifests}
    assert len(things) == 2 * len(plain), "every form has the same objects"
    return [thing for thing in things if plain.get((thing["kind"], thing["metadata"]["name"])) != thing]


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_no_object_of_any_stack_is_refused_in_any_form(space: Space, shared: Path, share: int) -> None:
    cases = list(corpus.cases(shared / "corpus"))
    assert len(cases) >= 105
    faults: dict[str, list[str]] = {}
    for case in cases[share::SHARES]:
        file = corpus.compose_file(case)
        assert file is not None, case.name
        try:
            conversion = corpus.converted(file)
        except migrate.Unusable as nothing:
            if any(finding.code != "MIG001" for finding in nothing.findings):
                faults[case.name] = [finding.message for finding in nothing.findings]
            continue  # no YAML at all: refused with its line
        told = refused(space.cluster, conversion.manifests) + refused(
            space.cluster, others(space.cluster, conversion, space.folder / case.name)
        )
        if told:
            faults[case.name] = told
    assert faults == {}
