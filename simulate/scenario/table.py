"""The keys of `scenario.yaml`, version 1, each with its kind and meaning: the one place that knows them.

Meanings and defaults of the data plane: model.md 12; the other keys: product.md 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from simulate.scenario.machines import PLACE, POOL, PROVISIONER, SCALING
from simulate.scenario.shapes import (
    CLOCK,
    DURATION,
    LASTING,
    QUANTILE,
    QUANTITY,
    RATE,
    At,
    Choice,
    Distributed,
    Either,
    Fields,
    Flag,
    JsonSchema,
    Key,
    Listed,
    Measured,
    Named,
    Number,
    Ordered,
    Shape,
    Text,
    Tuple,
    dotted,
    nearest,
)

COUNT = Number(minimum=0, whole=True)
POSITIVE = Number(minimum=1, whole=True)
FACTOR = Number(minimum=0.0)
RATIO = Number(minimum=0.0, maximum=1.0)
TIMES = Distributed(DURATION)
CAUSES = ("no_endpoint", "refused", "timed_out", "killed", "oom", "dependency")

# ------------------------------------------------------------------ load

_DIURNAL = Fields(
    {
        "mean": Key(RATE, "mean over the day", required=True),
        "amplitude": Key(RATIO, "share by which the peak is above the mean", required=True),
        "peak": Key(CLOCK, "time of day of the peak; the run begins at 0:00", required=True),
    }
)
_RATE = Either(
    Fields(
        {
            "constant": Key(RATE, "one rate"),
            "steps": Key(Ordered(DURATION, RATE), "[time, rate]: from that time on"),
            "knots": Key(Ordered(DURATION, RATE, jumps=True), "[time, rate]: linear between; two at one time are a jump"),
            "diurnal": Key(_DIURNAL, "a cosine over the day"),
        },
        one_of=("constant", "steps", "knots", "diurnal"),
    ),
    RATE,
)
_BURST = Fields(
    {
        "at": Key(DURATION, "begin", required=True),
        "for": Key(LASTING, "duration", required=True),
        "factor": Key(FACTOR, "what multiplies the rate", required=True),
    }
)
_MMPP = Fields(
    {
        "factors": Key(Listed(FACTOR, least=1), "factor of each state", required=True),
        "dwell": Key(Listed(LASTING, least=1), "mean stay in each state", required=True),
    }
)
_FACTOR = Fields(
    {
        "steps": Key(Ordered(DURATION, FACTOR), "[time, factor]"),
        "weekly": Key(Tuple((FACTOR,) * 7), "factor of each day of the run, seven"),
        "bursts": Key(Listed(_BURST, least=1), "times of more or less load"),
        "mmpp": Key(_MMPP, "a modulating chain"),
    },
    one_of=("steps", "weekly", "bursts", "mmpp"),
)
_ARRIVALS = {
    "rate": Key(_RATE, "requests per second over time", required=True),
    "times": Key(Listed(_FACTOR), "factors that multiply the rate"),
    "batch": Key(Distributed(Number(minimum=0.0)), "requests per arrival, default 1"),
    "limit": Key(COUNT, "no arrival after so many requests"),
    "end": Key(DURATION, "no arrival from then on, default the horizon"),
}
_CLOSED = Fields(
    {
        "users": Key(POSITIVE, "users that think, ask and wait", required=True),
        "think": Key(TIMES, "think time, default 0"),
        "stagger": Key(DURATION, "over which the users start"),
        "start": Key(DURATION, "when the first starts"),
        "iterations": Key(POSITIVE, "requests per user"),
        "end": Key(DURATION, "no request from then on"),
    }
)
SOURCE = Fields(
    {
        "name": Key(Text(), "names the stream of draws, default SERVICE/POSITION"),
        "open": Key(Fields(_ARRIVALS), "Poisson arrivals"),
        "deterministic": Key(Fields(_ARRIVALS), "evenly spaced arrivals"),
        "closed": Key(_CLOSED, "a fixed number of users"),
        "recorded": Key(Text(), "CSV file: times in seconds, or two columns time and count per bin"),
        "clients": Key(POSITIVE, "different clients, for balancing by hash; default 1000"),
    },
    one_of=("open", "deterministic", "closed", "recorded"),
)

# ------------------------------------------------------------------ services

_RUN = Fields(
    {
        "cpu": Key(TIMES, "CPU seconds of one core, first"),
        "wait": Key(TIMES, "other time, then"),
        "fails": Key(RATIO, "share of its runs that fail, default 0"),
        "failsAt": Key(Listed(COUNT), "indexes (without indexes: numbers within the Job, from 0) that always fail"),
        "exitCode": Key(Number(minimum=1, maximum=255, whole=True), "of what fails, default 1"),
    }
)

_CALL = Fields(
    {
        "to": Key(Text(), "a Service or the workload behind it", required=True),
        "count": Key(POSITIVE, "calls one after the other (in `parallel`: at once), default 1"),
        "probability": Key(RATIO, "that each is made, default 1"),
        "optional": Key(Flag(), "its failure is ignored"),
    }
)
_STEP = Fields(
    {
        "cpu": Key(TIMES, "CPU seconds of one core"),
        "wait": Key(TIMES, "other waiting"),
        "call": Key(_CALL, "a call of another service"),
        "parallel": Key(Listed(_CALL, least=1), "calls made at once; the step ends when all have ended"),
    },
    one_of=("cpu", "wait", "call", "parallel"),
)
SERVICE = Fields(
    {
        "program": Key(Listed(_STEP), "what a request does, step by step"),
        "cpu": Key(TIMES, "CPU seconds per request, first"),
        "wait": Key(TIMES, "other waiting, then"),
        "calls": Key(Listed(_CALL), "calls of other services, last, in order"),
        "workers": Key(Number(minimum=1, whole=True, nullable=True), "requests that a pod works on at a time, default unlimited"),
        "backlog": Key(Number(minimum=0, whole=True, nullable=True), "requests that may wait in a pod, default 128"),
        "hold": Key(Choice(("request", "cpu")), "whether a worker is held while waiting (threads) or not (event loop)"),
        "parallelism": Key(Number(above=0.0, nullable=True), "cores that one pod can use, default unlimited"),
        "memory": Key(
            Fields(
                {
                    "base": Key(QUANTITY, "when idle, default half of the request"),
                    "perRequest": Key(QUANTITY, "more for each request being worked on"),
                    "growth": Key(QUANTITY, "more for each request completed (a leak)"),
                }
            ),
            "memory of a pod; the limit is the manifest's",
        ),
        "start": Key(Fields({"wait": Key(DURATION, "other time"), "cpu": Key(DURATION, "CPU seconds")}), "before the process listens"),
        "init": Key(Named(DURATION), "how long each init container takes, by its name; default 0"),
        "run": Key(Either(_RUN, DURATION), "what a pod of a Job or CronJob does; of a Job without it: done before the run begins"),
        "gates": Key(Named(DURATION), "after its containers are ready, until a readiness gate opens, by its condition type; default 0"),
        "warmup": Key(
            Fields(
                {
                    "requests": Key(Ordered(COUNT, FACTOR), "[requests done, speed]"),
                    "time": Key(Ordered(DURATION, FACTOR), "[time since start, speed]"),
                }
            ),
            "speed of a young process",
        ),
        "onTerm": Key(
            Fields(
                {
                    "handles": Key(Flag(), "false: dies at once"),
                    "accept": Key(Flag(), "true: ignores SIGTERM"),
                    "backlog": Key(Choice(("serve", "reset")), "what becomes of waiting requests"),
                    "closeKeepalive": Key(Flag(), "whether open connections are closed"),
                }
            ),
            "what it does on SIGTERM",
        ),
    },
    excludes={"program": ("cpu", "wait", "calls")},
)

# ------------------------------------------------------------------ balancing

_BUDGET = Fields({"ratio": Key(FACTOR, "tokens per call"), "min": Key(FACTOR, "tokens at the start"), "max": Key(FACTOR, "tokens at most")})


@dataclass(frozen=True, slots=True)
class Proxies:
    """`node`, `pod` or a number of proxies."""

    def read(self, value: Any, at: At) -> str | int | None:
        """The word or the number."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        if value in ("node", "pod"):
            return str(value)
        at.fault("must be node, pod or a whole number of at least 1")
        return None

    def schema(self) -> JsonSchema:
        """The words or a number."""
        return {"anyOf": [{"enum": ["node", "pod"]}, {"type": "integer", "minimum": 1}]}


BALANCING = Fields(
    {
        "policy": Key(
            Choice(("random", "round_robin", "least_request", "p2c", "hash", "ewma")), "how an endpoint is chosen, default random"
        ),
        "view": Key(Choice(("local", "pod")), "whose counts least_request and p2c look at"),
        "proxies": Key(Proxies(), "how many proxies choose on their own: node (default), pod or a number"),
        "net": Key(DURATION, "one-way network time"),
        "timeout": Key(LASTING, "per attempt"),
        "deadline": Key(Choice(("own", "propagate")), "whether the caller's remaining time limits the call"),
        "abandon": Key(Choice(("continue", "cancel")), "whether the pod works on after a timeout"),
        "retries": Key(
            Fields(
                {
                    "max": Key(COUNT, "more attempts"),
                    "on": Key(Listed(Choice(CAUSES)), "causes that are retried"),
                    "backoff": Key(DURATION, "before the second attempt"),
                    "factor": Key(Number(minimum=1.0), "by which it grows, default 2"),
                    "backoffMax": Key(DURATION, "its bound"),
                    "jitter": Key(Choice(("none", "full")), "whether it is drawn"),
                    "budget": Key(_BUDGET, "bounds retries to a share of the calls"),
                    "avoidTried": Key(Flag(), "prefer endpoints not tried, default true"),
                }
            ),
            "of failed attempts",
        ),
        "keepalive": Key(
            Fields(
                {
                    "connections": Key(POSITIVE, "slots per proxy, default 1"),
                    "maxRequests": Key(POSITIVE, "requests per connection"),
                    "maxAge": Key(LASTING, "age of a connection"),
                    "perUser": Key(Flag(), "each user of a closed load has its own"),
                }
            ),
            "connections that stay open",
        ),
        "ejection": Key(
            Fields({"maxFails": Key(POSITIVE, "default 1"), "failTimeout": Key(LASTING, "default 10s")}), "of failing endpoints"
        ),
        "decay": Key(LASTING, "of ewma, default 10s"),
    }
)

# ------------------------------------------------------------------ objective, nodes, events, control plane

OBJECTIVE = Fields(
    {
        "latency": Key(Named(LASTING, key=QUANTILE), "quantile -> at most this latency"),
        "errors": Key(RATIO, "share of failed requests at most"),
    }
)
FLAGS: Mapping[str, tuple[str, Shape]] = {
    "version": ("version", Text()),
    "horizontal-pod-autoscaler-sync-period": ("hpa_sync_period_s", LASTING),
    "horizontal-pod-autoscaler-tolerance": ("hpa_tolerance_ratio", FACTOR),
    "horizontal-pod-autoscaler-downscale-stabilization": ("hpa_downscale_stabilization_s", DURATION),
    "horizontal-pod-autoscaler-cpu-initialization-period": ("hpa_cpu_initialization_s", DURATION),
    "horizontal-pod-autoscaler-initial-readiness-delay": ("hpa_initial_readiness_delay_s", DURATION),
    "metric-resolution": ("metric_resolution_s", LASTING),
    "kube-api-qps": ("kube_api_qps", Number(above=0.0)),
    "kube-api-burst": ("kube_api_burst", POSITIVE),
    "node-monitor-grace-period": ("node_monitor_grace_s", LASTING),
    "default-not-ready-toleration-seconds": ("not_ready_toleration_s", FACTOR),
    "node-eviction-rate": ("node_eviction_rate", Number(above=0.0)),
    "secondary-node-eviction-rate": ("secondary_eviction_rate", FACTOR),
    "unhealthy-zone-threshold": ("unhealthy_zone_ratio", RATIO),
    "large-cluster-size-threshold": ("large_cluster_size", COUNT),
    "serialize-image-pulls": ("serialize_image_pulls", Flag()),
    "max-parallel-image-pulls": ("max_parallel_image_pulls", POSITIVE),
    "registry-qps": ("registry_qps", Number(above=0.0)),
    "registry-burst": ("registry_burst", POSITIVE),
    "max-container-restart-period": ("restart_period_max_s", LASTING),
    "reduce-default-crash-loop-back-off-decay": ("reduced_restart_decay", Flag()),
}
DELAYS: Mapping[str, str] = {
    "watch": "watch_s",
    "api": "api_s",
    "scheduling": "scheduling_s",
    "sandbox": "sandbox_s",
    "pull": "pull_s",
    "endpoints": "endpoints_s",
    "kubelet": "kubelet_sync_s",
    "termination": "termination_extra_s",
    "jitter": "jitter_ratio",
}


def _delay(name: str, to: str) -> Key:
    if name == "jitter":
        return Key(FACTOR, "how much the times of the controllers' requests vary: their standard deviation over their mean, default 0")
    return Key(DURATION, f"sets {to}")


CONTROL = Fields(
    {
        **{flag: Key(shape, f"sets {name}") for flag, (name, shape) in FLAGS.items()},
        **{flag: Key(shape, means) for flag, (_, shape, means) in SCALING.items()},
        "delays": Key(Fields({name: _delay(name, to) for name, to in DELAYS.items()}), "times that are no flag"),
    }
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar, as seconds since 1970."""

    def read(self, value: Any, at: At) -> float | None:
        """The begin of the day, UTC."""
        try:
            return datetime.combine(date.fromisoformat(str(value)), datetime.min.time(), UTC).timestamp()
        except ValueError:
            at.fault("must be a day such as 2026-01-05")
            return None

    def schema(self) -> JsonSchema:
        """A date."""
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Anything:
    """An object of Kubernetes, read with the manifests."""

    def read(self, value: Any, at: At) -> Mapping[str, Any] | None:
        """As it is."""
        if isinstance(value, Mapping):
            return value
        at.fault("must be an object of Kubernetes")
        return None

    def schema(self) -> JsonSchema:
        """An object of any kind."""
        return {"type": "object", "required": ["apiVersion", "kind", "metadata"]}


# verb -> kind of its target, and its own keys
VERBS: Mapping[str, tuple[str, Mapping[str, Key]]] = {
    "rollout": (
        "workload",
        {
            "image": Key(Text(), "the new image"),
            "with": Key(SERVICE, "what changes in services.NAME"),
            "fails": Key(Choice(("pull", "crash", "unready")), "how a bad image fails"),
            "cause": Key(Text(), "the annotation kubernetes.io/change-cause of this change, for `rollout history`"),
        },
    ),
    "undo": ("workload", {}),
    "pause": ("workload", {}),
    "resume": ("workload", {}),
    "autoscale": (
        "workload",
        {
            "min": Key(POSITIVE, "replicas at least, default as it is"),
            "max": Key(POSITIVE, "replicas at most, default as it is"),
            "cpuPercent": Key(POSITIVE, "target share of the CPU request, default as it is"),
        },
    ),
    "scale": ("workload", {"replicas": Key(COUNT, "the new number", required=True)}),
    "create": (
        "workload that is not there before, or a CronJob of which a Job is started",
        {"manifest": Key(Anything(), "the object, default the one of the manifests")},
    ),
    "nodeLoss": ("pool", {"count": Key(POSITIVE, "nodes, default 1"), "for": Key(LASTING, "until they come back, default for ever")}),
    "zoneLoss": ("zone", {"for": Key(LASTING, "until it comes back, default for ever")}),
    "drain": ("pool", {"count": Key(POSITIVE, "nodes, default 1"), "for": Key(LASTING, "until they take pods again, default for ever")}),
    "reclaim": (
        "pool",
        {
            "count": Key(POSITIVE, "nodes, default 1"),
            "notice": Key(DURATION, "how long before their end they are told, default 2m"),
            "drained": Key(Flag(), "whether they are drained in that time, default true"),
        },
    ),
    "taint": (
        "pool",
        {
            "key": Key(Text(), "of the taint", required=True),
            "value": Key(Text(), "of the taint, default none"),
            "effect": Key(Choice(("NoSchedule", "PreferNoSchedule", "NoExecute")), "of the taint", required=True),
            "count": Key(POSITIVE, "nodes, default 1"),
            "for": Key(LASTING, "until it is taken away, default for ever"),
        },
    ),
    "shortage": ("pool", {"for": Key(LASTING, "how long the provider has no such machines", required=True)}),
    "registry": (
        "state (down or slow)",
        {
            "for": Key(LASTING, "duration", required=True),
            "factor": Key(Number(minimum=1.0), "of slow: by what a pull takes longer, default 10"),
        },
    ),
    "controllers": ("state (down)", {"for": Key(LASTING, "until there is a leader; a lease lasts 15 s", required=True)}),
    "metrics": ("state (down)", {"for": Key(LASTING, "duration", required=True)}),
    "spike": ("entry", {"factor": Key(FACTOR, "what multiplies the load", required=True), "for": Key(LASTING, "duration", required=True)}),
}


# the same for the world before
HOST_VERBS: Mapping[str, tuple[str, Mapping[str, Key]]] = {
    "release": ("service, or all", VERBS["rollout"][1]),
    "undo": ("service, or all", {}),
    "hostLoss": ("host", {"for": Key(LASTING, "until it is back, default for ever")}),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event: `at`, one verb with its target, and the verb's own keys."""

    verbs: Mapping[str, tuple[str, Mapping[str, Key]]]

    def read(self, value: Any, at: At) -> dict[str, Any] | None:
        """`at`, `verb`, `target` and `arguments`."""
        if not isinstance(value, Mapping):
            at.fault("must be a mapping with at and one verb")
            return None
        said = [verb for verb in self.verbs if value.get(verb) is not None]
        if len(said) != 1:
            unknown = [
                str(key) for key in value if str(key) not in {"at", *self.verbs, *(key for _, keys in self.verbs.values() for key in keys)}
            ]
            if unknown and not said:
                at.problems.append(
                    at.document.problem(
                        (*at.path, unknown[0]), f"unknown key {nearest(unknown[0], list(self.verbs))} (in {dotted(at.path)})"
                    )
                )
            else:
                at.fault(f"must have one of {', '.join(self.verbs)}" + (f", has {' and '.join(said)}" if said else ""))
            return None
        fields = self._fields(said[0]).read(value, at)
        if fields is None or "at" not in fields:
            return None
        arguments = {key: entry for key, entry in fields.items() if key not in ("at", said[0])}
        return {"at": fields["at"], "verb": said[0], "target": fields[said[0]], "arguments": arguments}

    def _fields(self, verb: str) -> Fields:
        target, keys = self.verbs[verb]
        return Fields({"at": Key(DURATION, "when", required=True), verb: Key(Text(), f"a {target}", required=True), **keys})

    def schema(self) -> JsonSchema:
        """One object per verb."""
        return {"oneOf": [self._fields(verb).schema() for verb in self.verbs]}


# ------------------------------------------------------------------ the world before

RESTART = re.compile(r"no|always|unless-stopped|on-failure(:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Restarted:
    """A restart policy as Compose writes it: no, always, unless-stopped, on-failure or on-failure:N; a bare `no` of YAML is that word."""

    def read(self, value: Any, at: At) -> str | None:
        """The policy as text."""
        said = "no" if value is False else value
        if isinstance(said, str) and RESTART.fullmatch(said):
            return said
        at.fault("must be no, always, unless-stopped, on-failure or on-failure:N")
        return None

    def schema(self) -> JsonSchema:
        """The words."""
        return {"anyOf": [{"type": "string", "pattern": f"^({RESTART.pattern})$"}, {"const": False}]}


_HOST_SERVICE = Fields(
    {
        "on": Key(Listed(Text(), least=1), "hosts; instances are spread over them in turn", required=True),
        "instances": Key(POSITIVE, "processes or containers, default 1"),
        "cpus": Key(Number(above=0.0, nullable=True), "limit in cores of one, default none"),
        "cpuShares": Key(Number(minimum=2, whole=True), "CPU weight of one, default 1024"),
        "memory": Key(QUANTITY, "limit of one, default none"),
        "restart": Key(Restarted(), "what becomes of one that has ended: no, always (default), unless-stopped, on-failure, on-failure:N"),
        "stopTimeout": Key(DURATION, "between SIGTERM and SIGKILL, default release.stopTimeout"),
    }
)
BASELINE = Fields(
    {
        "hosts": Key(Named(Fields(PLACE)), "virtual machines or Compose hosts", required=True),
        "services": Key(Named(_HOST_SERVICE), "where each runs"),
        "balancing": Key(Named(BALANCING), "as `balancing`, over what that says of time-outs, retries and connections"),
        "release": Key(
            Fields(
                {
                    "order": Key(Listed(Text()), "of the services when all are released, default as they stand"),
                    "stopTimeout": Key(DURATION, "between SIGTERM and SIGKILL, default 10s"),
                    "instances": Key(Choice(("together", "oneByOne")), "of one service, default together"),
                    "image": Key(DURATION, "between stop and start, default 0s: images are pulled before"),
                }
            ),
            "how a release is done: stopped, then started",
        ),
        "events": Key(
            Listed(Happening(HOST_VERBS)), "what happens when; default: rollouts and lost nodes of `events` as releases and lost hosts"
        ),
    }
)

_FLUID = Fields({"bin": Key(LASTING, "length of its bins, at least 1s, default 10s")})
ENGINE = Either(Fields({"fluid": Key(_FLUID, "expected flows, with settings", required=True)}), Choice(("exact", "fluid")))

SCENARIO = Fields(
    {
        "version": Key(Choice((1,)), "of this format, 1", required=True),
        "horizon": Key(LASTING, "how long the run is, default 1h"),
        "date": Key(Day(), "day at whose 0:00 UTC the run begins, for CronJobs; default a Monday, 2026-01-05"),
        "seed": Key(COUNT, "of every random draw, default 1"),
        "engine": Key(ENGINE, "exact: every request (default); fluid: expected flows, refused where they do not hold"),
        "load": Key(Named(Listed(SOURCE)), "entry service -> sources of requests"),
        "services": Key(Named(SERVICE), "what each service does with a request"),
        "upstreams": Key(Named(Listed(Text(), least=2)), "name -> services behind one list of addresses (nginx, HAProxy); calls name it"),
        "balancing": Key(Named(BALANCING), "per callee, `default`, or `caller->callee`"),
        "objective": Key(Named(OBJECTIVE), "per entry service, `default` for the rest"),
        "nodes": Key(Named(POOL), "pools of nodes; without (and without provisioners): room for all"),
        "provisioners": Key(Named(PROVISIONER), "buy single nodes of the size that is cheapest for the pods that wait"),
        "images": Key(Named(QUANTITY), "image -> bytes that a pull transfers; of others a pull takes delays.pull"),
        "events": Key(Listed(Happening(VERBS)), "what happens when"),
        "baseline": Key(BASELINE, "the world before, with the same load"),
        "controlPlane": Key(CONTROL, "flags of the control plane"),
        "guesses": Key(Named(Text()), "key path -> why it is a guess"),
    }
)

__all__ = ["DELAYS", "FLAGS", "HOST_VERBS", "SCENARIO", "VERBS", "Measured"]
