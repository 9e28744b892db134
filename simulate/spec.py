"""The nouns of a simulation: what is specified before anything happens. All frozen; SI units, the unit in the name.

Traffic nouns follow model.md section by section (the number in each docstring); control nouns follow the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# ------------------------------------------------------------------ traffic (model.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Of a positive quantity (1.6). `name` decides which parameters are used; `points` are (q, x) pairs of `quantiles`."""

    name: Literal["const", "uniform", "exp", "lognormal", "erlang", "hyperexp", "pareto", "quantiles"]
    value: float = 0.0
    mean: float = 0.0
    cv: float = 0.0
    k: int = 1
    minimum: float = 0.0
    maximum: float = 0.0
    alpha: float = 0.0
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a program step (3.3)."""

    to: str
    count: int = 1
    probability: float = 1.0
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a program (3.3): exactly one of `cpu_s`, `wait_s`, `calls`; one call with parallel=False is `call`."""

    cpu_s: Distribution | None = None
    wait_s: Distribution | None = None
    calls: tuple[Call, ...] = ()
    parallel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """3.8, in bytes. `restart_after_s` exists in recorded cases only."""

    base_bytes: float = 0.0
    per_inflight_bytes: float = 0.0
    growth_bytes: float = 0.0
    limit_bytes: float | None = None
    restart_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a pod of a Job does before it exits: `wait_s`, then `cpu_s` of one core. It exits with `exit_code` in a share `fails_ratio` of
    its runs, always where its index (without indexes: its number within the Job) is one of `fails_at`, else with 0.
    """

    wait_s: Distribution | None = None
    cpu_s: Distribution | None = None
    fails_ratio: float = 0.0
    exit_code: int = 1
    fails_at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a service does with a request (3.2, 3.3, 3.7 to 3.9) and how it starts and ends. None = unlimited.

    `serves`: this is a version of that service with another program or other limits; its pods are endpoints of the service like those of
    the service's own behaviour, and make their calls as the service. None = it is the service itself.
    """

    name: str
    program: tuple[Step, ...]
    workers: int | None = None
    backlog: int | None = None
    hold: Literal["request", "cpu"] = "request"
    parallelism: float | None = None
    memory: Memory | None = None
    warm_requests: tuple[tuple[int, float], ...] = ()
    warm_time: tuple[tuple[float, float], ...] = ()
    drain_backlog: Literal["serve", "reset"] = "serve"
    close_keepalive: bool = True
    handles_term: bool = True
    accept_on_term: bool = False
    start_wait_s: float = 0.0
    start_cpu_s: float = 0.0
    init_s: tuple[tuple[str, float], ...] = ()
    run: Work | None = None
    serves: str | None = None

    @property
    def service(self) -> str:
        """The service whose endpoints its pods are."""
        return self.serves or self.name

    gates_s: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A multiplying step function of a rate (2.1): exactly one of the fields."""

    steps: tuple[tuple[float, float], ...] | None = None
    weekly: tuple[float, ...] | None = None
    bursts: tuple[tuple[float, float, float], ...] | None = None
    mmpp: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate of arrivals per second (2.1): one of constant, steps, knots, diurnal (mean, amplitude, peak_s), times factors."""

    constant: float | None = None
    steps: tuple[tuple[float, float], ...] | None = None
    knots: tuple[tuple[float, float], ...] | None = None
    diurnal: tuple[float, float, float] | None = None
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of requests (2.2)."""

    name: str
    to: str
    kind: Literal["open", "deterministic", "trace", "closed"]
    rate: Rate | None = None
    times: tuple[float, ...] = ()
    users: int = 0
    think_s: Distribution | None = None
    stagger_s: float = 0.0
    start_s: float = 0.0
    iterations: int | None = None
    batch: Distribution | None = None
    limit: int | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """5."""

    minimum: float = 10.0
    ratio: float = 0.2
    maximum: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """5. `on` None is the default set of causes."""

    maximum: int = 0
    on: frozenset[str] | None = None
    backoff_s: float = 0.0
    factor: float = 2.0
    backoff_max_s: float | None = None
    jitter: Literal["none", "full"] = "none"
    avoid_tried: bool = True
    budget: RetryBudget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """4.3."""

    connections: int = 1
    max_requests: int | None = None
    max_age_s: float | None = None
    per_user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """4.4."""

    max_fails: int = 1
    fail_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Caller (a source's or a service's name) -> callee service (sections 4 and 5)."""

    caller: str
    callee: str
    policy: Literal["random", "round_robin", "least_request", "p2c", "hash", "ewma"] = "random"
    view: Literal["local", "pod"] = "local"
    proxies: tuple[str, ...] = ("default",)
    net_s: float = 0.0
    timeout_s: float | None = None
    abandon: Literal["continue", "cancel"] = "continue"
    deadline: Literal["own", "propagate"] = "own"
    retry: Retry = field(default_factory=Retry)
    keepalive: Keepalive | None = None
    ejection: Ejection | None = None
    clients: int = 1
    ewma_decay_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Other load on a node (3.4): `threads` always runnable, with a weight."""

    threads: int
    weight: float = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node of the data plane (3.4). `cores` None = unlimited."""

    name: str
    cores: float | None = None
    speed: float = 1.0
    background: tuple[Background, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSpec:
    """Everything that the data plane needs before time 0 but the pods, which the control plane starts (9)."""

    seed: int
    horizon_s: float
    behaviours: tuple[Behaviour, ...]
    edges: tuple[Edge, ...]
    sources: tuple[Source, ...]
    machines: tuple[Machine, ...]


# ------------------------------------------------------------------ control plane (Kubernetes API)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe. `kind` exec is assumed to take `timeout`-free time; http and tcp go through the pod's workers when `through_workers`."""

    kind: Literal["exec", "http", "tcp", "grpc"]
    period_s: int = 10
    timeout_s: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    initial_delay_s: int = 0
    grace_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container: resources (None = not said), probes and hooks.

    `sidecar_after` None: an ordinary container; a number: a native sidecar (an init container that is restarted), which starts when so
    many ordinary init containers have ended.
    """

    name: str
    image: str
    pull_policy: Literal["Always", "IfNotPresent", "Never"]
    request_cores: float | None = None
    request_bytes: float | None = None
    limit_cores: float | None = None
    limit_bytes: float | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    prestop_s: float = 0.0
    poststart_s: float = 0.0
    sidecar_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """A pod template; `containers` are those that stay, native sidecars last. `gates`: condition types of its readiness gates.

    `data` is the manifest's template as it is (affinity, tolerations and so on are read from it).
    """

    labels: Mapping[str, str]
    containers: tuple[ContainerSpec, ...]
    init_containers: tuple[ContainerSpec, ...] = ()
    grace_s: float = 30.0
    priority: int = 0
    gates: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRule:
    """One rule of a podFailurePolicy: exit codes of a container (None = any) by `operator`, or without one the pod's `conditions`."""

    action: Literal["FailJob", "FailIndex", "Ignore", "Count"]
    operator: Literal["In", "NotIn"] | None = None
    codes: tuple[int, ...] = ()
    container: str | None = None
    conditions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRule:
    """One rule of a successPolicy: all of `indexes`, or so many (`count`) of them (None = of all)."""

    indexes: frozenset[int] | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """batch/v1 JobSpec. `completions` None = done with the first success; `backoff_limit` 6, without bound where one per index is said."""

    parallelism: int = 1
    completions: int | None = 1
    indexed: bool = False
    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    deadline_s: float | None = None
    ttl_s: float | None = None
    suspended: bool = False
    restart: Literal["Never", "OnFailure"] = "Never"
    replace_when: Literal["TerminatingOrFailed", "Failed"] = "TerminatingOrFailed"
    rules: tuple[FailureRule, ...] = ()
    success: tuple[SuccessRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRules:
    """batch/v1 CronJobSpec without its template. `zone` None is that of the control plane, UTC."""

    schedule: str
    zone: str | None = None
    concurrency: Literal["Allow", "Forbid", "Replace"] = "Allow"
    starting_deadline_s: float | None = None
    suspended: bool = False
    keep_succeeded: int = 3
    keep_failed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment, StatefulSet, DaemonSet, Job, CronJob, or (in the world before) Process.

    `max_surge`/`max_unavailable` as in the API: integer or "25%".

    `behaviour` is the name of its Behaviour; `source` an opaque text that tells where the manifest came from; `cause` its annotation
    kubernetes.io/change-cause.
    """

    kind: Literal["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Process"]
    name: str
    namespace: str
    replicas: int
    template: PodTemplate
    behaviour: str
    strategy: Literal["RollingUpdate", "Recreate", "OnDelete"] = "RollingUpdate"
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    min_ready_s: int = 0
    progress_deadline_s: int | None = 600
    revision_history_limit: int = 10
    pod_management: Literal["OrderedReady", "Parallel"] = "OrderedReady"
    partition: int = 0
    selector: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    cause: str | None = None
    paused: bool = False
    job: JobRules | None = None
    cron: CronRules | None = None
    created_s: float | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """A HorizontalPodAutoscaler v2; `metrics` and `behavior` in the API's own form."""

    name: str
    namespace: str
    target: str
    minimum: int
    maximum: int
    metrics: tuple[Mapping[str, Any], ...]
    behavior: Mapping[str, Any] | None = None
    created_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionBudget:
    """A PodDisruptionBudget: a LabelSelector in the API's own form, and minAvailable or maxUnavailable, a number or "50%"."""

    name: str
    namespace: str
    selector: Mapping[str, Any] | None
    minimum: int | str | None = None
    maximum: int | str | None = None
    policy: Literal["IfHealthyBudget", "AlwaysAllow"] = "IfHealthyBudget"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """A Kubernetes Service: its selector, the workloads that it selects, and whether not-ready pods are published."""

    name: str
    namespace: str
    selector: Mapping[str, str]
    workloads: tuple[str, ...]
    publish_not_ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitItem:
    """One entry of a LimitRange for containers or whole pods: resource -> quantity as written, with the defaults that the API adds."""

    kind: Literal["Container", "Pod"]
    minimum: Mapping[str, str] = field(default_factory=dict)
    maximum: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, str] = field(default_factory=dict)
    default_request: Mapping[str, str] = field(default_factory=dict)
    ratio: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRange:
    """A LimitRange: what containers get that ask for nothing, and what may be asked for at all."""

    name: str
    namespace: str
    items: tuple[LimitItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaScope:
    """One condition on the pods that a quota counts, as in `scopeSelector`."""

    name: Literal["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = "Exists"
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceQuota:
    """A ResourceQuota: `hard` maps each resource name of the API to its quantity as written."""

    name: str
    namespace: str
    hard: Mapping[str, str]
    scopes: tuple[QuotaScope, ...] = ()


BANDWIDTH = 50.0 * 2**20
"""Bytes a second at which a node fetches images unless the scenario says otherwise: what one busy node of 1 Gbit/s has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """Nodes of one kind: allocatable cores, memory and pods of each, how many now, bounds, and the time to provide one more.

    `provisioner` names the one that buys such nodes (then the Cluster Autoscaler leaves them alone); `rank`: of the expander `priority`.
    """

    name: str
    cores: float
    memory_bytes: float
    pods: int = 110
    count: int = 1
    minimum: int = 0
    maximum: int = 0
    provision_s: float = 180.0
    price_month: float = 0.0
    bandwidth_bytes_s: float = BANDWIDTH
    zones: tuple[str, ...] = ()
    speed: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    background: tuple[Background, ...] = ()
    provisioner: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBudget:
    """How many nodes of a provisioner may be disrupted at a time: a number or "10%" (rounded up). `reasons` empty = every one."""

    nodes: int | str
    reasons: tuple[Literal["Empty", "Underutilized"], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioner:
    """Buys single nodes of the size that is cheapest for the pods that wait (as Karpenter does), and gives back what is not needed.

    Its sizes are the pools that name it. `consolidate_after_s` None = never; limits None = none; `nodes` is always bounded.
    """

    name: str
    weight: int = 0
    nodes: int = 100
    cores: float | None = None
    memory_bytes: float | None = None
    policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized"] = "WhenEmptyOrUnderutilized"
    consolidate_after_s: float | None = 0.0
    budgets: tuple[NodeBudget, ...] = (NodeBudget(nodes="10%"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the scenario makes happen: `verb` rollout, undo, scale, nodeLoss, spike ... on `target`, with its arguments."""

    at_s: float
    verb: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What must hold for an entry service over the horizon: (quantile, seconds) pairs and the share of failed requests."""

    service: str
    latency_s: tuple[tuple[float, float], ...]
    errors_ratio: float | None


EXPANDERS = ("random", "most-pods", "least-waste", "least-nodes", "priority")
"""How the Cluster Autoscaler may choose among node groups that help. Its `price` needs a provider's own prices of pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScaling:
    """Flags of the Cluster Autoscaler with the defaults of kubernetes-semantics.md 9.1, and the two batch flags of a provisioner.

    `expander`: one or more of EXPANDERS, asked in turn; what they leave is drawn. A bound of 0 nodes is none.
    """

    scan_interval_s: float = 10.0
    new_pod_delay_s: float = 0.0
    provision_max_s: float = 900.0
    expander: tuple[str, ...] = ("least-waste",)
    scale_down: bool = True
    unneeded_s: float = 600.0
    unready_s: float = 1200.0
    utilization_ratio: float = 0.5
    ignore_daemons: bool = False
    after_add_s: float = 600.0
    after_delete_s: float = 0.0
    after_failure_s: float = 180.0
    recheck_s: float = 300.0
    parallel: int = 10
    parallel_drains: int = 1
    delete_delay_s: float = 5.0
    graceful_max_s: float = 600.0
    eviction_max_s: float = 120.0
    priority_cutoff: int = -10
    nodes_per_scale_up: int = 1000
    nodes_total: int = 0
    unready_percent: float = 45.0
    unready_count: int = 3
    skip_system_pods: bool = True
    skip_local_storage: bool = True
    skip_custom_pods: bool = True
    backoff_initial_s: float = 300.0
    backoff_max_s: float = 1800.0
    backoff_reset_s: float = 10800.0
    batch_idle_s: float = 1.0
    batch_max_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Flags and delays of the control plane, with the defaults of kubernetes-semantics.md; (P) values are `delays`."""

    version: str = "1.36"
    hpa_sync_period_s: float = 15.0
    hpa_tolerance_ratio: float = 0.1
    hpa_downscale_stabilization_s: float = 300.0
    hpa_cpu_initialization_s: float = 300.0
    hpa_initial_readiness_delay_s: float = 30.0
    metric_resolution_s: float = 15.0
    kube_api_qps: float = 20.0
    kube_api_burst: int = 30
    node_monitor_grace_s: float = 50.0
    not_ready_toleration_s: float = 300.0
    node_eviction_rate: float = 0.1
    secondary_eviction_rate: float = 0.01
    unhealthy_zone_ratio: float = 0.55
    large_cluster_size: int = 50
    watch_s: float = 0.010
    api_s: float = 0.005
    scheduling_s: float = 0.005
    sandbox_s: float = 1.0
    pull_s: float = 0.0
    endpoints_s: float = 1.0
    kubelet_sync_s: float = 0.010
    termination_extra_s: float = 1.0
    jitter_ratio: float = 0.0
    scaling: NodeScaling = field(default_factory=NodeScaling)
    serialize_image_pulls: bool = True
    max_parallel_image_pulls: int | None = None
    registry_qps: float = 5.0
    registry_burst: int = 10
    restart_period_max_s: float | None = None
    reduced_restart_decay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Something that neither the manifests nor the scenario said: what was taken instead, why, and where it comes from."""

    subject: str
    value: str
    reason: str
    origin: Literal["default", "guess", "derived"]


MONDAY_S = 1767571200.0
"""Monday, 5 January 2026, 0:00 UTC, in seconds since 1970: when a run begins unless the scenario says another day."""


BIN_S = 10.0
"""Bins of the fluid engine unless the scenario says otherwise (model.md 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """Everything that `engine.run` needs. `traffic.edges` name workload behaviours; `services` tell which edges' callee a Service is.

    `fluid_bin_s`: the data plane has expected flows in bins of this length instead of requests (model.md 8); None: every request.
    """

    seed: int
    horizon_s: float
    workloads: tuple[Workload, ...]
    services: tuple[ServiceSpec, ...]
    autoscalers: tuple[Autoscaler, ...]
    pools: tuple[NodePool, ...]
    traffic: TrafficSpec
    events: tuple[Event, ...]
    control: ControlPlane
    objectives: tuple[Objective, ...]
    assumptions: tuple[Assumption, ...]
    image_bytes: Mapping[str, float] = field(default_factory=dict)
    budgets: tuple[DisruptionBudget, ...] = ()
    begins_s: float = MONDAY_S
    ranges: tuple[LimitRange, ...] = ()
    quotas: tuple[ResourceQuota, ...] = ()
    provisioners: tuple[Provisioner, ...] = ()
    fluid_bin_s: float | None = None
