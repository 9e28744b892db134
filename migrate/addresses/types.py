"""The nouns of the address engine: who owns an address, where it is used, what kind of use that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from migrate.description import description
from migrate.findings import Span
from migrate.stack import Context, Kind, Place

UseAction = Literal["rewritten", "pod-ip", "pinned", "rendered", "dropped", "left", "refused"]
Outcome = Literal["dropped", "name", "pinned", "multus", "load-balancer", "left"]


@description
class Owner:
    """An address of the report: a declared one, or one that texts use. `service` None: nobody owns it (gateway, VIP, stale, outside).
    `network` None: it lies in no network of the stack."""

    address: str
    network: str | None
    service: str | None
    span: Span


@description
class Use:
    """One occurrence of an address (or of a name that must change) in a text, before any decision.

    `start` and `end` delimit the token in the text (place, key) of `service`; `token` is it as written; `owner` None: not in the map.
    `own` tells whether the text's service (or a member of its pod) owns it; `context` is the list of *address_context* that
    matched; `letter` the class of static-addresses.md section 2; `rule` the A-rule of conversion.md 2.5.
    `occurrence` is the index in `Stack.occurrences`; `addresses` the declared addresses that an A3 prefix can produce.
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
    kind: Kind
    occurrence: int
    addresses: tuple[str, ...] = ()


@description
class Inventory:
    """Every fixed address of the stack and every use, in file order.

    `vips` maps a virtual address (A11) to the services that hold the text of its daemon.
    """

    owners: tuple[Owner, ...]
    uses: tuple[Use, ...]
    vips: Mapping[str, tuple[str, ...]]


@description
class Edit:
    """Replace text[start:end] by `new`."""

    start: int
    end: int
    new: str


@description
class DecidedUse:
    """A use with what becomes of it; `new` None where the text stays."""

    use: Use
    action: UseAction
    new: str | None


@description
class DecidedAddress:
    """An address of the report (product.md section 3, `addresses`)."""

    owner: Owner
    outcome: Outcome
    uses: tuple[DecidedUse, ...]


@description
class RewrittenFile:
    """A mounted file after rewriting. `rendered`: it holds @@ADDR:service@@, @@ADDR6:service@@, @@POD_IP@@ or @@HOST_IP@@, which an init
    container replaces; `changed` tells whether anything differs from the source."""

    source: str
    text: str
    rendered: bool
    changed: bool


@description
class RewrittenService:
    """The texts of one service after rewriting, ready for the builder.

    `environment` holds every effective value (None: pass-through without value); `needs_pod_ip`/`needs_host_ip` ask for the env entries
    from fieldRef; `host_aliases` maps an address to names; `cluster_ips` are pins; `nameservers` None leaves ClusterFirst.
    Files are keyed by absolute source path, inline configs and secrets by their key; only texts that were scanned are there.

    In `environment`, `command` and `entrypoint` the pod's and the host's address stand as `$(POD_IP)` and `$(HOST_IP)`; `healthcheck`
    and `hooks` have the shell form `$POD_IP` (a CMD test became a CMD-SHELL text for it). `overlays` are changed files of the image
    by their path in it (MIG217); `hooks` maps the key of a hook's word (`post_start/0/command/2`) to its text; `load_balancer_ip` is
    the address on the LAN that a published Service asks for (MIG238).
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
    cluster_ips: tuple[str, ...]
    nameservers: tuple[str, ...] | None
    alias_names: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, str] = field(default_factory=dict)
    overlays: Mapping[str, RewrittenFile] = field(default_factory=dict)
    load_balancer_ip: str | None = None


@description
class Addressing:
    """What becomes of every address, and the texts after it.

    `rendered` are the services whose address some file gets at pod start (S2: they need a ClusterIP); `vips` maps the name of a
    Service over a virtual address to the services behind it (A11; pod label `compose-cutover/<name>: member`), `vip_ports` to the
    (port, protocol) that its callers use, `vip_pins` to its fixed cluster address. `ranges` are the old subnets that pins need as ranges of
    Services of their own.
    """

    addresses: tuple[DecidedAddress, ...]
    services: Mapping[str, RewrittenService]
    rendered: frozenset[str] = frozenset()
    vips: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vip_ports: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    vip_pins: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[str, ...] = ()
