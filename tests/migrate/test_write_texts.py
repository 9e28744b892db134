"""Any text that may stand in an object comes out of a chart and of a kustomization as it went in."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.write.helm import helm
from migrate.write.kustomize import kustomize
from tests.migrate.helm_templates import Chart
from tests.migrate.kustomize_builds import build

PIECES = st.sampled_from(
    ["{{", "}}", "{{-", "-}}", "\n", "\n\n", "\r\n", " ", "\t", ": ", "#", "- ", "'", '"', "\\", "%", "$(A)", "$$", "\x00", "\x1b", "\x7f",
     "\x85", "\u2028", "\ufeff", "\ufffe", "\ue000", "\ue001", "b0", "s1", "é", "漢", "🐳", "a", "Z", "0", "|", ">", "&x",
     "*x", "!!str", "---"]
)  # fmt: skip
TEXT = st.lists(PIECES, max_size=8).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEY = st.text("abcXYZ019._-", min_size=1, max_size=6).filter(lambda key: key.strip(".") != "" and not key.startswith(".."))
UNBUILT = re.compile("[\x7f-\x9f\ufffe\uffff]")
"""Characters that Kustomize itself cannot write and read again, wherever they stand."""
NAME = st.text("ABCabc_019", min_size=1, max_size=5).filter(lambda name: not name[0].isdigit())


@st.composite
def stacks(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXT) -> list[dict[str, Any]]:
    """A Deployment that says, reads and mounts drawn texts, with what it uses."""
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "n"}

    def thing(api_version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
        notes = {"note": draw(texts)}
        metadata = {"name": name, **({} if kind == "Namespace" else {"namespace": "n"}), "labels": dict(labels), "annotations": notes}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}

    read = draw(st.dictionaries(NAME, texts, min_size=1, max_size=3))
    literal = draw(st.dictionaries(NAME.map(lambda name: f"L_{name}"), texts, max_size=3))
    container = {
        "name": "web",
        "image": draw(st.sampled_from(["web", "web:1", "r.example.com:5000/a/web:1.2", "web@sha256:00", "web:"])),
        "args": draw(st.lists(texts, max_size=3)),
        "env": [{"name": name, "value": value} for name, value in literal.items()],
        "envFrom": [{"configMapRef": {"name": "web-env"}}],
    }
    volumes = [{"name": "files", "configMap": {"name": "files"}}]
    template = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container], "volumes": volumes}}
    return [
        thing("v1", "Namespace", "n"),
        thing("v1", "Secret", "web-env", type="Opaque", stringData=draw(st.dictionaries(KEY, texts, min_size=1, max_size=2))),
        thing("v1", "ConfigMap", "files", data=draw(st.dictionaries(KEY, texts, min_size=1, max_size=3))),
        thing("v1", "ConfigMap", "web-env", data=read),
        thing("apps/v1", "Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": dict(labels)}, "template": template}),
    ]


def without_empty(value: Any) -> Any:
    """Lists and mappings that hold nothing say nothing: `env: []` is no `env`."""
    if isinstance(value, dict):
        return {k: w for k, v in value.items() if (w := without_empty(v)) not in ([], {})}
    return [without_empty(v) for v in value] if isinstance(value, list) else value


@settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stacks())
def test_texts_survive_a_chart(manifests: list[dict[str, Any]]) -> None:
    assert without_empty(Chart(helm(manifests)).render()) == without_empty(manifests)


@settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stacks(TEXT.filter(lambda text: not UNBUILT.search(text))))
def test_texts_survive_a_kustomization(manifests: list[dict[str, Any]]) -> None:
    tree = kustomize(manifests)
    for folder in ("base", "overlays/dev"):
        built = {(o["kind"], o["metadata"]["name"]): o for o in build(tree, folder)}
        assert built == {(m["kind"], m["metadata"]["name"]): m for m in manifests}
