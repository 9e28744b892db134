"""The nouns of a finished plan: what every question decided, ready for the builder of objects.

Names are final, paths and keys are checked, texts are rewritten and escaped; the builder decides nothing.
Where an outcome is one field of the Kubernetes API and nothing else (a volume source, an affinity), it is that field as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from migrate.addresses.types import Addressing, DecidedAddress
from migrate.description import description
from migrate.findings import Finding, Span
from migrate.plan.decision import Answers, Decision

WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "init", "member", "none"]
"""`init`: an init container of another service's pod (C1). `member`: a container of another service's pod (2.1)."""


@description
class Pod:
    """Services whose containers share a pod: the owner first, others in file order."""

    owner: str
    members: tuple[str, ...]
    share_processes: bool = False


@description
class OneShot:
    """A service that runs to its end. `host`: the service in whose pod it is an init container (C1), None for a Job (C2)."""

    host: str | None
    restart_policy: Literal["Never", "OnFailure"]
    backoff_limit: int
    rule: str


@description
class Workload:
    """The kind of object and what belongs to the kind. `replicas` None: not written (DaemonSet, HPA)."""

    kind: WorkloadKind
    replicas: int | None = None
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    backoff_limit: int | None = None
    completions: int | None = None
    suspend: bool = False
    schedule: str | None = None
    concurrency: str | None = None
    host: str | None = None
    native_sidecar: bool = False


@description
class ServicePort:
    """One port of a Service: `port` in front, `target` in the container."""

    name: str
    port: int
    target: int
    protocol: str
    app_protocol: str | None = None
    node_port: int | None = None


@description
class Attachment:
    """A second network of a pod (mode multus): the key of the network, the name of its definition, the interface in the pod, its
    addresses with the length of their subnet, its MAC address."""

    key: str
    network: str
    interface: str
    ips: tuple[str, ...] = ()
    mac: str | None = None


@description
class NetworkDefinition:
    """A NetworkAttachmentDefinition: `config` is the CNI configuration that it holds as text."""

    name: str
    config: Mapping[str, Any]
    span: Span | None = None


@description
class Attached:
    """What mode multus adds. `pods`: service whose pod it is -> its attachments; `kept`: (service, address) that pods go on having;
    `tenants`: the services in attached pods; `one_node`: the owners of pods that must stand on one node."""

    definitions: tuple[NetworkDefinition, ...] = ()
    pods: Mapping[str, tuple[Attachment, ...]] = field(default_factory=dict)
    kept: frozenset[tuple[str, str]] = frozenset()
    tenants: frozenset[str] = frozenset()
    one_node: frozenset[str] = frozenset()


@description
class ServiceObject:
    """A Service object of any kind; `selector` is complete. `headless` and `cluster_ips` exclude each other; `cluster_ips` are pins, one
    of each family."""

    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...] = ()
    headless: bool = False
    publish_not_ready: bool = False
    cluster_ips: tuple[str, ...] = ()
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    external_name: str | None = None
    load_balancer_ip: str | None = None
    external_traffic_policy: str | None = None
    dual_stack: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    span: Span | None = None


@description
class EnvEntry:
    """One `env` entry: a literal (escaped), a key of a Secret, or a field of the pod."""

    name: str
    value: str | None = None
    secret: tuple[str, str] | None = None
    field_path: str | None = None


@description
class DataObject:
    """A ConfigMap or a Secret. `text` holds what is UTF-8 without control characters, `binary` the rest.

    `service` None: several services use it.
    """

    kind: Literal["ConfigMap", "Secret"]
    name: str
    text: Mapping[str, str]
    binary: Mapping[str, bytes]
    service: str | None
    span: Span | None
    annotations: Mapping[str, str] = field(default_factory=dict)


@description
class Volume:
    """A volume of a pod; `source` is the volume source as the API writes it. `claim` names the claim behind it, if any."""

    name: str
    source: Mapping[str, Any]
    claim: str | None = None


@description
class VolumeMount:
    """Where a container sees a volume."""

    volume: str
    path: str
    sub_path: str | None = None
    read_only: bool = False
    propagation: str | None = None


@description
class InitContainer:
    """A generated init container. `like_app`: it runs with the security of the service's own container; `like_engine`: as root with the
    usual capabilities, for what Docker's engine did itself; else restricted. `app_environment`: it has the environment of the service,
    `env` above it."""

    name: str
    image: str
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: tuple[EnvEntry, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    like_app: bool = False
    like_engine: bool = False
    app_environment: bool = False
    working_dir: str | None = None
    security: Mapping[str, Any] | None = None


@description
class Settings:
    """What a container reads: environment, command, files."""

    env: tuple[EnvEntry, ...] = ()
    env_from: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str | None = None
    stdin: bool = False
    tty: bool = False
    volumes: tuple[Volume, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    init: tuple[InitContainer, ...] = ()
    data: tuple[DataObject, ...] = ()
    external: tuple[str, ...] = ()
    fs_group: int | None = None


@description
class Claim:
    """A PersistentVolumeClaim. `users` are the owners of the pods that mount it; `template`: it is a StatefulSet's claim template;
    `one_node`: its pods must share a node (V6), and `node_group` is the claim that stands for all claims that must stand together;
    `volume`: the PersistentVolume written with it (V11); `selector`: labels of the volume that it may bind to."""

    name: str
    size: str
    storage_class: str | None
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"]
    users: tuple[str, ...]
    span: Span
    template: bool = False
    one_node: bool = False
    node_group: str | None = None
    external: bool = False
    volume: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] = field(default_factory=dict)


@description
class Storage:
    """The volumes of one service, without files and settings. `docker_socket`: it needs what is never mounted (V2)."""

    volumes: tuple[Volume, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    init: tuple[InitContainer, ...] = ()
    claims: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    docker_socket: bool = False
    host_paths: bool = False
    timezone: bool = False


@description
class Probe:
    """One probe: the handler as the API writes it, and its timings in seconds. `successes` in a row make a pod ready again."""

    handler: Mapping[str, Any]
    period_s: int
    timeout_s: int
    failures: int
    initial_delay_s: int = 0
    successes: int = 1


@description
class Health:
    """The probes of a container."""

    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None


@description
class Wait:
    """What a pod waits for before its containers start: a ready pod of `dependency`, or its Job's completion."""

    dependency: str
    for_job: bool


@description
class Lifecycle:
    """Hooks and grace. Hooks are handlers as the API writes them; `grace_s` None: the API's 30 seconds; `stop_signal`: sent by the kubelet
    instead of SIGTERM."""

    pre_stop: Mapping[str, Any] | None = None
    post_start: Mapping[str, Any] | None = None
    grace_s: int | None = None
    stop_signal: str | None = None


@description
class Update:
    """How a Deployment replaces its pods; all None: the API's defaults."""

    recreate: bool = False
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    min_ready_s: int | None = None
    progress_deadline_s: int | None = None


@description
class Autoscaler:
    """An HPA; targets in percent of the request."""

    minimum: int
    maximum: int
    cpu_percent: int | None
    memory_percent: int | None


@description
class Scale:
    """Update strategy, autoscaler, disruption budget."""

    update: Update = Update()
    autoscaler: Autoscaler | None = None
    budget: bool = False


@description
class Security:
    """Container and pod security as the API writes them; `level` is the strictest Pod Security level that admits the container."""

    container: Mapping[str, Any] = field(default_factory=dict)
    pod: Mapping[str, Any] = field(default_factory=dict)
    pod_spec: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    level: Literal["privileged", "baseline", "restricted"] = "baseline"
    devices: bool = False


@description
class Placement:
    """Where pods may run, as pod-spec fields (`affinity`, `nodeSelector`, `tolerations`, `topologySpreadConstraints`)."""

    pod_spec: Mapping[str, Any] = field(default_factory=dict)


@description
class Image:
    """The image reference as written, and when it is pulled."""

    reference: str
    pull_policy: str | None = None
    pull_secrets: tuple[str, ...] = ()


@description
class Metadata:
    """Annotations from labels: `workload` alone, `shared` by workload, pod template and Service, `template` alone."""

    workload: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    template: Mapping[str, str] = field(default_factory=dict)


@description
class IngressRule:
    """One host and path to `port` of a Service, which leads to `target`; `host` None answers every host."""

    host: str | None
    path: str
    service: str
    port: int
    target: int


@description
class Ingress:
    """An Ingress of a service. `tls_secret` empty text: TLS without a named secret."""

    name: str
    rules: tuple[IngressRule, ...]
    ingress_class: str | None
    tls_secret: str | None
    span: Span


@description
class Exposure:
    """How a service is reached from outside. `open_ports` are the (protocol, container port) that anyone may reach (P2)."""

    services: tuple[ServiceObject, ...] = ()
    ingress: Ingress | None = None
    host_ports: Mapping[tuple[str, int], tuple[int, str | None]] = field(default_factory=dict)
    open_ports: tuple[tuple[str, int], ...] = ()


@description
class Policy:
    """A NetworkPolicy: the name and its spec as the API writes it."""

    name: str
    spec: Mapping[str, Any]
    span: Span | None


@description
class Networking:
    """Of one service: pod labels and pod-spec fields of its networks."""

    labels: Mapping[str, str] = field(default_factory=dict)
    pod_spec: Mapping[str, Any] = field(default_factory=dict)


@description
class ServicePlan:
    """Everything decided about one Compose service. `ports` are the known container ports; `service` its main Service, if it has one."""

    key: str
    object_name: str
    container_name: str
    span: Span
    kind: WorkloadKind
    replicas: int | None
    image: str
    ports: tuple[ServicePort, ...]
    workload: Workload
    pod: Pod
    service: ServiceObject | None
    more_services: tuple[ServiceObject, ...]
    exposure: Exposure
    settings: Settings
    storage: Storage
    health: Health
    waits: tuple[Wait, ...]
    lifecycle: Lifecycle
    scale: Scale
    resources: Mapping[str, Mapping[str, str]]
    security: Security
    placement: Placement
    pull: Image
    metadata: Metadata
    networking: Networking
    container_ports: tuple[ServicePort, ...]
    pre_start: tuple[InitContainer, ...]
    pod_labels: Mapping[str, str]
    hostname: str | None
    hostname_override: str | None
    subdomain: str | None
    dns: Mapping[str, Any]
    host_aliases: Mapping[str, tuple[str, ...]]
    attachments: tuple[Attachment, ...] = ()
    decisions: tuple[Decision, ...] = ()


@description
class Plan:
    """The whole decision.

    `instance` is the project's name as a label value. `data` are ConfigMaps and Secrets by kind and name in file order, `hosted` the
    one-shots that run in the pod of a service (C1) in their order, `ready_services` the headless Services that waits look up,
    `shared_services` those over several services. `decisions` and `findings` are everything that was decided and found from loading on.
    `networks` are the definitions of second networks, `one_node` the owners of pods that such networks bind to one node, `service_ranges`
    old subnets that become ranges of Services. `base` is the project directory as spans name it: what is noted in objects starts from it,
    so that it does not matter where the command ran.
    """

    project: str
    instance: str
    namespace: str
    pod_security: Literal["privileged", "baseline", "restricted"]
    services: Mapping[str, ServicePlan]
    ready_services: tuple[ServiceObject, ...]
    shared_services: tuple[ServiceObject, ...]
    data: Mapping[tuple[str, str], DataObject]
    hosted: Mapping[str, tuple[str, ...]]
    claims: Mapping[str, Claim]
    policies: tuple[Policy, ...]
    addresses: tuple[DecidedAddress, ...]
    addressing: Addressing
    tools_image: str
    kubectl_image: str
    answers: Answers
    span: Span
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    base: str = "."
    networks: tuple[NetworkDefinition, ...] = ()
    one_node: frozenset[str] = frozenset()
    service_ranges: tuple[str, ...] = ()
