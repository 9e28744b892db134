"""The Helm chart: with its default values it gives the plain objects; what a user changes per installation is a value.

    Chart.yaml, values.yaml, values.schema.json
    templates/               the plain files with values at their places; `_helpers.tpl`, `NOTES.txt`
    files/MAP/KEY            what the ConfigMaps of files hold

Object names are not prefixed by the release: they are DNS names that other pods look up (conversion.md 2.15).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from migrate.write.chart import Chart
from migrate.write.chart_objects import offered_autoscalers, placed
from migrate.write.dump import dump
from migrate.write.kustomize import map_files
from migrate.write.plain import SECRETS, by_file, mode_of
from migrate.write.pods import Manifest
from migrate.write.template import template
from migrate.write.tree import NOTES, File, FileTree
from migrate.write.values import values_text, variable

_SECTIONS: Final = ("namespace", "global", "networkPolicies", "services", "persistence", "secrets")
_OF_SERVICE: Final = (
    *("image", "replicas", "schedule", "hpa", "resources", "env", "extraEnv", "existingSecret", "exposure", "ingress", "persistence"),
)

_HELPERS: Final = """\
{{- define "CHART.namespace" -}}
{{ .Values.namespace.name | default .Release.Namespace }}
{{- end -}}

{{- /* Registry, repository, tag and digest as one reference; the global registry wins. */ -}}
{{- define "CHART.image" -}}
{{- with .global.registry | default .image.registry }}{{ . }}/{{ end }}{{ .image.repository }}
{{- with .image.tag }}:{{ . }}{{ end }}
{{- with .image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- /* A digest of keys and values: pods are replaced when what they read changes. */ -}}
{{- define "CHART.digest" -}}
{{- $text := "" -}}
{{- range $key, $value := . -}}
{{- $text = printf "%s%s\\x00%d\\x00%s" $text $key (len $value) $value -}}
{{- end -}}
{{- $text | sha256sum | trunc 16 -}}
{{- end -}}
"""


def helm(manifests: Sequence[Manifest]) -> FileTree:
    """Manifests in apply order -> a chart named after the project's namespace.

    `helm template` gives `manifests` again: same names, same values. What a value changes is tested value by value.
    """
    chart = Chart.of(manifests)
    templates = _templates(chart)
    files = {
        "Chart.yaml": File(text=dump(_chart(chart))),
        "values.yaml": File(text=values_text(_in_order(chart.values.tree()))),
        "values.schema.json": File(text=json.dumps(chart.values.schema(), indent=2, ensure_ascii=False) + "\n"),
        ".helmignore": File(text=f"/.git/\n/.gitignore\n/{NOTES}\n/{NOTES}.*\n"),
        "templates/_helpers.tpl": File(text=_HELPERS.replace("CHART", chart.name)),
        "templates/NOTES.txt": File(text=_notes(chart)),
        **templates,
    }
    for made in manifests:
        if made["kind"] == "ConfigMap" and made["metadata"]["name"] in chart.files:
            files |= map_files(made)
    if f"templates/{SECRETS}" in files:
        files[".gitignore"] = File(text=f"templates/{SECRETS}\n")
    return FileTree(files=dict(sorted(files.items())))


def _in_order(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The values as people look for them."""
    found: dict[str, Any] = {key: tree[key] for key in _SECTIONS if key in tree}
    places = {key: position for position, key in enumerate(_OF_SERVICE)}
    for name, settings in found.get("services", {}).items():
        found["services"][name] = dict(sorted(settings.items(), key=lambda entry: places.get(entry[0], len(places))))
    return found


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "apiVersion": "v2",
        "name": chart.name,
        "description": f"The stack {chart.name}, converted from Compose",
        "type": "application",
        "version": "0.1.0",
        "kubeVersion": ">=1.25.0-0",
    }


def _templates(chart: Chart) -> dict[str, File]:
    """The template files. All settings are known only when all objects are placed: what an object shares, the first one names."""
    objects = [*chart.manifests, *offered_autoscalers(chart)]
    placed_objects = {id(manifest): placed(chart, manifest) for manifest in sorted(objects, key=_workloads_first)}
    chart.values.put(("global", "registry"), "", {"type": "string"})
    files: dict[str, File] = {}
    services = {variable(path[1]): path[1] for path in chart.values.settings if path[0] == "services"}
    for name, found in by_file(objects).items():
        text = template([placed_objects[id(manifest)] for manifest in found])
        head = [f'{used} := index $.Values.services "{services[used]}"' for used in _variables(text) if used in services]
        text = "".join(f"{{{{- {line} }}}}\n" for line in head) + text
        files[f"templates/{name}"] = File(text=text, mode=mode_of(name))
    return files


def _workloads_first(manifest: Manifest) -> bool:
    return "template" not in str((manifest.get("spec") or {}).keys()).lower()


def _variables(text: str) -> Iterable[str]:
    """The variables that the actions of a template name, in the order of their first use."""
    return dict.fromkeys(name for action in re.findall(r"\{\{.*?\}\}", text) for name in re.findall(r"\$[A-Za-z_]\w*", action))


def _notes(chart: Chart) -> str:
    lines = [
        f'The stack {chart.name} runs in the namespace {{{{ include "{chart.name}.namespace" . }}}}.',
        "",
        f'  kubectl -n {{{{ include "{chart.name}.namespace" . }}}} get pods',
    ]
    published = [m for m in chart.manifests if m["kind"] == "Service" and m["spec"].get("type")]
    if published:
        lines += ["", "Reached from outside through the Services", *(f"  {m['metadata']['name']}" for m in published)]
    if any(m["kind"] == "Secret" for m in chart.manifests):
        lines += ["", f"Secrets come from templates/{SECRETS}; `existingSecret` names one that the cluster has already."]
    return "\n".join(lines) + "\n"
