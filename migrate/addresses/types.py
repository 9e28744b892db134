"""The nouns of the address engine: who owns an address, where it is used, what kind of use that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from migrate.findings import Span
from migrate.stack import Context, Kind, Place

UseAction = Literal["rewritten", "pod-ip", "pinned", "rendered", "dropped", "left", "refused"]
Outcome = Literal["dropped", "name", "pinned", "multus", "load-balancer", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A declared fixed address. `service` None: nobody owns it (gateway, VIP, stale)."""

    address: str
    network: str
    service: str | None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One occurrence of an address (or of a name that must change) in a text, before any decision.

    `start` and `end` delimit the token in the text (place, key) of `service`; `token` is it as written; `owner` None: not in the map.
    `own` tells whether the text's service (or a member of its pod) owns it; `context` is the list of *address_context* that
    matched; `letter` the class of static-addresses.md section 2; `rule` the A-rule of conversion.md 2.5.
    """

    service: str | None
    place: Place
    key: str
    start: int
    end: int
    token: str
    address: str
    owner: str | None
    network: str | None
    own: bool
    context: Context
    letter: str
    rule: str
    port: int | None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Every fixed address of the stack and every use, in file order."""

    owners: tuple[Owner, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace text[start:end] by `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedUse:
    """A use with what becomes of it; `new` None where the text stays."""

    use: Use
    action: UseAction
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedAddress:
    """An address of the report (product.md section 3, `addresses`)."""

    owner: Owner
    outcome: Outcome
    uses: tuple[DecidedUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenFile:
    """A mounted file after rewriting. `rendered`: it holds @@ADDR:service@@, @@POD_IP@@ or @@HOST_IP@@ tokens that an init
    container replaces; `changed` tells whether anything differs from the source."""

    source: str
    text: str
    rendered: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenService:
    """The texts of one service after rewriting, ready for the builder.

    `environment` holds every effective value (None: pass-through without value); `needs_pod_ip`/`needs_host_ip` ask for the env entries
    from fieldRef; `host_aliases` maps an address to names; `cluster_ip` is a pin; `nameservers` None leaves ClusterFirst.
    Files are keyed by absolute source path.
    """

    environment: Mapping[str, str | None]
    command: tuple[str, ...] | None
    entrypoint: tuple[str, ...] | None
    healthcheck: tuple[str, ...] | None
    files: Mapping[str, RewrittenFile]
    changed_variables: frozenset[str]
    needs_pod_ip: bool
    needs_host_ip: bool
    host_aliases: Mapping[str, tuple[str, ...]]
    cluster_ip: str | None
    nameservers: tuple[str, ...] | None
    alias_names: tuple[str, ...]
