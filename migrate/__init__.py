"""Docker-as-VM Compose stacks to Kubernetes manifests that work.

    import migrate
    conversion = migrate.convert("compose.yaml")     # .manifests .findings .decisions .addresses .graph .scenario .write(dir)

`convert` is the whole path, stage by stage; every intermediate value stays in the `Conversion`. Nothing here prints, reads the
environment or keeps state. Raises `Unusable` when there is nothing to convert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from migrate.findings import Action, Finding, OutputError, Severity, Span, Unusable

if TYPE_CHECKING:
    from migrate.addresses.types import DecidedAddress, Inventory
    from migrate.compose.model import Project
    from migrate.plan.decision import Answers, Decision
    from migrate.plan.types import Plan
    from migrate.stack import Stack
    from migrate.write import FileTree, Saved

__all__ = ["Action", "Conversion", "Finding", "OutputError", "Severity", "Span", "Unusable", "convert"]

__version__ = "0.1.0"


def convert(
    files: str | Path | Sequence[str | Path] = (),
    *,
    directory: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    project_name: str | None = None,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    project_directory: str | None = None,
    interpolate: bool = True,
    plan: str | Path | Answers | None = None,
    namespace: str | None = None,
    kubernetes_version: str | None = None,
    addresses: Literal["names", "pin", "multus"] | None = None,
    service_cidr: str | None = None,
) -> Conversion:
    """Convert the stack of Compose `files` (none: discovered from `directory`, as `docker compose` does).

    `environment` is what variables are taken from (none by default), `plan` a file of answers; `namespace`, `kubernetes_version`
    (default 1.35), `addresses` (default names) and `service_cidr` win over it. Raises `Unusable` with the findings when nothing is left to
    convert, or when the range of Services cannot be used.
    """
    from migrate import compose, kube, stack, verify
    from migrate import plan as planning
    from migrate.addresses import take_inventory
    from migrate.stack.data import extended
    from migrate.verify import network

    answers = _answers(plan, namespace, kubernetes_version, addresses, service_cidr)
    project = compose.load(
        [str(files)] if isinstance(files, (str, Path)) else [str(file) for file in files],
        directory=Path(directory),
        environment=environment or {},
        stdin=stdin,
        project_name=project_name,
        profiles=profiles,
        env_files=env_files,
        project_directory=project_directory,
        interpolate=interpolate,
    )
    with extended(answers.lists):
        meant = stack.resolve(project)
        inventory = take_inventory(meant)
        decided = planning.decide(meant, inventory, None, answers)  # the graph is for people: no decision asks it, and it is heavy
    manifests = kube.build(decided)
    verified = (
        *verify.check(manifests, kubernetes_version=answers.kubernetes_version),
        *network.equivalence(meant, decided.addressing, manifests, decided.answers),
    )
    return Conversion(
        project=project, stack=meant, inventory=inventory, answers=answers, plan=decided, manifests=manifests, verified=verified
    )


def _answers(
    plan: str | Path | Answers | None,
    namespace: str | None,
    kubernetes_version: str | None,
    addresses_mode: Literal["names", "pin", "multus"] | None,
    service_cidr: str | None,
) -> Answers:
    from dataclasses import replace

    from migrate.plan import answers

    said = answers.read(Path(plan)) if isinstance(plan, (str, Path)) else plan or answers.Answers()
    said = replace(
        said,
        namespace=namespace or said.namespace,
        kubernetes_version=kubernetes_version or said.kubernetes_version,
        addresses_mode=addresses_mode or said.addresses_mode,
        service_cidr=service_cidr or said.service_cidr,
    )
    answers.check_range(said)
    return said


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A converted stack with everything that led to it: one field per stage, and what is made of them on demand."""

    project: Project
    stack: Stack
    inventory: Inventory
    answers: Answers
    plan: Plan
    manifests: tuple[dict[str, Any], ...]
    verified: tuple[Finding, ...]

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all stages, errors first, then by place; those of an environment alone bear its name."""
        from migrate.findings import in_reading_order

        own = [finding for environment in self._environments.values() for finding in environment[1]]
        return in_reading_order((*self.plan.findings, *self.verified, *own))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision with its rule, reason and evidence."""
        return self.plan.decisions

    @property
    def addresses(self) -> tuple[DecidedAddress, ...]:
        """Every fixed address, its uses and what becomes of them."""
        return self.plan.addresses

    @cached_property
    def graph(self) -> Any:
        """The stack as a networkx DiGraph: who calls and who waits for whom."""
        from migrate import graph

        return graph.dependencies(self.stack)

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """A draft scenario for `simulate`, guesses marked as guesses."""
        from migrate.scenario import draft

        return draft(self.stack, self.plan)

    @property
    def environments(self) -> Mapping[str, tuple[dict[str, Any], ...]]:
        """The manifests of each environment that the plan names."""
        return {name: manifests for name, (manifests, _) in self._environments.items()}

    @cached_property
    def _environments(self) -> dict[str, tuple[tuple[dict[str, Any], ...], list[Finding]]]:
        from dataclasses import replace

        from migrate import kube, verify
        from migrate import plan as planning
        from migrate.stack.data import extended
        from migrate.verify import network

        told = {*self.plan.findings, *self.verified}
        made = {}
        for name in self.answers.environments:
            with extended(self.answers.lists):
                decided = planning.decide(self.stack, self.inventory, None, self.answers.in_environment(name))
            manifests = kube.build(decided)
            findings = (
                *decided.findings,
                *verify.check(manifests, kubernetes_version=self.answers.kubernetes_version),
                *network.equivalence(self.stack, decided.addressing, manifests),
            )
            made[name] = manifests, [replace(f, message=f"environment {name}: {f.message}") for f in findings if f not in told]
        return made

    def tree(self, form: str = "plain") -> FileTree:
        """The manifests as files, in one of the forms plain, kustomize (an overlay an environment) and helm."""
        from migrate.write import tree_of

        return tree_of(self.manifests, form, self.environments or None)

    def write(self, directory: str | Path, *, form: str = "plain", force: bool = False) -> Saved:
        """Write the tree, whole or not at all; OutputError if it cannot be written."""
        from migrate.write import save

        return save(self.tree(form), directory, force=force)
