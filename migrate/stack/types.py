"""The nouns of what the stack means: texts, names, mounts, ports, references (conversion.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from migrate.compose.model import Mount, Project, Service
from migrate.description import description
from migrate.findings import Finding, Span

Place = Literal[
    "environment", "env_file", "command", "entrypoint", "healthcheck", "labels", "dns", "extra_hosts", "ports", "config", "secret",
    "file", "build", "script", "links",
]  # fmt: skip
MountClass = Literal[
    "system", "source-tree", "missing", "file", "data", "configuration", "named", "anonymous", "tmpfs", "docker-socket", "host-directory",
    "image", "dropped",
]  # fmt: skip
Context = Literal["served_name", "literal_only", "acl", "own_literal", "advertise", "bind", "other"]
Kind = Literal["address", "network", "range", "prefix", "name"]


@description
class Text:
    """One piece of scanned text of a service (None: a file beside the stack, outside the containers).

    `key` says which piece inside the place: the variable, the index of the command's word ("0"), the host name of extra_hosts, the
    label, or for files the absolute source path. `span` is where `text` begins; when `verbatim`, every offset of `text` can be
    counted from there, else (interpolated or canonicalised) every occurrence has `span` itself.
    """

    service: str | None
    place: Place
    key: str
    text: str
    span: Span
    verbatim: bool


@description
class ClassifiedMount:
    """A mount of a service and what it is (conversion.md 2.7 and 2.8). `files` are the files to carry for `file` and `configuration`:
    relative path ("" for a single file) -> absolute path; `size_bytes` is measured for existing data directories."""

    mount: Mount
    kind: MountClass
    files: Mapping[str, Path]
    size_bytes: int | None = None


@description
class Reference:
    """`caller` names `callee` in host position: by which name or address, on which port (None: not told), where."""

    caller: str
    callee: str
    name: str
    port: int | None
    protocol: str
    place: Place
    key: str
    span: Span


@description
class KnownPort:
    """A port of P(s). `evidence` tells where it is known from: all but dockerfile and image are class A."""

    port: int
    protocol: str
    evidence: Literal["ports", "expose", "reference", "self", "healthcheck", "dockerfile", "image"]
    span: Span | None
    name: str | None = None
    app_protocol: str | None = None


@description
class Dockerfile:
    """Facts of the final stage: exposed ports, user, health check, stop signal, and `copies` (context path -> image paths).

    `base` is the image that the stage begins with (`scratch` included), `users` and `groups` are the numbers of accounts that it makes,
    `timings` the options of its health check (`interval`, `timeout`, `retries`, ...) as written, `fills` every place of the image that a
    COPY or ADD writes, from wherever.
    """

    path: Path
    expose: tuple[str, ...]
    user: str | None
    healthcheck: tuple[str, ...] | None
    stop_signal: str | None
    copies: Mapping[str, tuple[str, ...]]
    volumes: tuple[str, ...]
    base: str | None = None
    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, str] = field(default_factory=dict)
    fills: tuple[str, ...] = ()


@description
class Member:
    """One service with everything that the decisions need to know of it.

    `names` maps each name it can be called by to the networks where it answers. `self_identity` as conversion.md section 1; `peers` is its
    peer group, itself included (empty: it has none).
    """

    service: Service
    names: Mapping[str, frozenset[str]]
    ports: tuple[KnownPort, ...]
    mounts: tuple[ClassifiedMount, ...]
    dockerfile: Dockerfile | None
    server_evidence: bool
    self_identity: bool
    peers: frozenset[str]


@description
class Occurrence:
    """An address, or a name in host position, where it stands; nothing is decided yet.

    `text` is the index in `Stack.texts`; `start` and `end` delimit `token` there. `address` is the canonical address (None: a name),
    `kind` tells an exact address from a network (prefix length, mask), a range, and the beginning of an address that is put together.
    `service` is the one that the caller means by it (None: nobody of the stack), `network` where that one has the address.
    `context` is the list of *address_context* that decided, `keys` what its patterns were tried on. `scheme` is that of the URL whose
    authority it stands in, `before` the text of its line or simple command up to it, `beside` the services that the value names (its
    own meaning included), `protocol` tcp, udp or both.
    `syntaxes` are those of its file (`zone`, `dnsmasq`, ...). `assembled`: interpolation put the address together from parts.
    A name without a service is one of the Docker host (`host.docker.internal`, an `extra_hosts` name of the gateway).
    """

    text: int
    start: int
    end: int
    token: str
    address: str | None
    kind: Kind
    service: str | None
    network: str | None
    port: int | None
    protocol: str
    scheme: str
    context: Context
    keys: tuple[str, ...]
    before: str
    beside: frozenset[str]
    syntaxes: frozenset[str]
    span: Span
    assembled: bool = False


@description
class Stack:
    """The project with its meaning. `members` in file order; `references` exclude self-references, which are in `self_references`.

    `occurrences` holds every address and every name in host position of `texts`, in the order of the texts.
    `namesakes` maps a service to the services that share its network namespace (itself included): `network_mode: service:X`.
    """

    project: Project
    members: Mapping[str, Member]
    texts: tuple[Text, ...]
    references: tuple[Reference, ...]
    self_references: tuple[Reference, ...]
    findings: tuple[Finding, ...]
    occurrences: tuple[Occurrence, ...] = ()
    namesakes: Mapping[str, frozenset[str]] = field(default_factory=dict)
