"""The plan as a file to edit: what the user answered, and as comments everything else that was decided, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from migrate.plan.answers import as_project
from migrate.plan.decision import Decision
from migrate.plan.types import Plan, ServicePlan

_HEADER = """\
# What the converter decided, and because of what. A line without its `#` is an answer: edit it, and convert again with --plan.
version: 1
"""


def write_plan(plan: Plan) -> str:
    """The plan file of `plan`: reading it gives the same answers that led to it."""
    parts = [_HEADER]
    answers = plan.answers
    parts.append("project:" + _answered(as_project(answers), 2))
    parts += _comments((d for d in plan.decisions if d.service is None), 2)
    parts.append("services:\n" if plan.services else "services: {}\n")
    for key, service in plan.services.items():
        parts.append(f"  {_scalar(key)}:" + _answered(answers.services.get(key, {}), 4))
        parts += _offers(service, answers.services.get(key, {}))
        parts += _comments((d for d in service.decisions if not d.question.startswith("address ")), 4)
    for key in answers.services:
        if key not in plan.services:
            parts.append(f"  {_scalar(key)}:" + _answered(answers.services[key], 4))
    parts.append("addresses:" + _answered(dict(answers.addresses), 2))
    for decided in plan.addresses:
        owner = decided.owner
        whose = owner.service or "nobody"
        offered = {"left": "keep", "pinned": "pin", "multus": "multus"}.get(decided.outcome, "names")
        parts.append(f"  # {_scalar(owner.address)}: {offered}  # {decided.outcome}; of {whose}, {owner.span.file}:{owner.span.line}\n")
    parts.append("images:" + _answered([dict(i) for i in answers.images], 2))
    parts.append("tools:" + _answered(dict(answers.tools), 2))
    parts.append(f"  # image: {plan.tools_image}\n  # kubectl: {plan.kubectl_image}\n")
    for name, said in answers.lists.items():
        parts.append(f"{name}:" + _answered(said, 2))
    if answers.environments:
        parts.append("environments:" + _answered({name: dict(said) for name, said in answers.environments.items()}, 2))
    return "".join(parts)


def _answered(said: Any, indent: int) -> str:
    """The text after a key: nothing but the answers, as a block; an empty collection stays open for comments (null)."""
    if not said:
        return "\n"
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return "\n" + "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=1000).removesuffix("\n").removesuffix("\n...").strip()


def _offers(service: ServicePlan, said: Mapping[str, Any]) -> list[str]:
    """Lines that become answers when their `#` is removed."""
    lines = []
    if "kind" not in said and service.kind not in ("init", "member"):
        lines.append(f"    # kind: {service.kind}\n")
    if "replicas" not in said and service.replicas is not None:
        lines.append(f"    # replicas: {service.replicas}\n")
    if "service" not in said and service.service is not None:
        lines.append(f"    # service: {'headless' if service.service.headless else 'clusterip'}\n")
    return lines


def _comments(decisions: Iterable[Decision], indent: int) -> list[str]:
    found = []
    for decision in decisions:
        where = ", ".join(dict.fromkeys(f"{e.file}:{e.line}" for e in decision.evidence[:3]))
        text = f"{decision.question} = {decision.outcome} ({decision.rule}: {decision.reason}){'; ' + where if where else ''}"
        found.append(f"{' ' * indent}## {' '.join(text.split())}\n")
    return found
