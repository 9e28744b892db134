"""Every key of a Compose file: its type, its short forms and how two files merge it.

The table is one row per key, written as nested mappings. `form.py` brings values to it, `merge.py` joins two, `settle.py` takes the
result as final. Source: the Compose Specification, and compose-semantics.md where the real program is looser or stricter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, Literal

from migrate.description import description

from . import short

Kind = Literal["any", "str", "text", "bool", "int", "num", "cpus", "mode", "count", "size", "duration", "words", "map", "list", "pairs"]
Merge = Literal["", "replace", "set", "text", "logging", "ports", "target", "secret", "config", "path", "subnet"]


@description
class Type:
    """The type of one value.

    `kind`: `text` takes numbers and booleans as texts, `words` is a command, `pairs` a list of NAME=VALUE or a mapping, `int` cuts off
    a fraction where `pattern` is `cut`, `map` has `keys`, and beside them `item` for free names (which `names` restricts).
    `null`: nothing may stand there. `unset`: a pair without value stays None instead of the empty text, and a boolean, number or path
    keeps an explicit false, zero or blank. `short` reads the short form. `merge` says how a list or mapping of two files becomes one,
    `splice` that the short form of an item may be several items, `refuse` that an item twice is a fault. `either`: the mapping is one of
    several forms, so that a required key that is missing makes it the wrong type. `strict` are the only types that YAML may give (a text
    is then not read as a number or boolean), `least` and `most` the limits of a number, `closed`: not even `x-` keys, `open`: other keys
    pass and are told.
    """

    kind: Kind
    keys: Mapping[str, Type] = field(default_factory=dict)
    item: Type | None = None
    short: short.Short | None = None
    null: bool = False
    required: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    names: bool = False
    unset: bool = False
    merge: Merge = ""
    splice: bool = False
    refuse: bool = False
    either: bool = False
    strict: tuple[type, ...] = ()
    least: int | None = None
    most: int | None = None
    closed: bool = False
    open: bool = False


ANY: Final = Type(kind="any", null=True)
STR: Final = Type(kind="str")
NAMED: Final = Type(kind="str", unset=True)
TEXT: Final = Type(kind="text")
BOOL: Final = Type(kind="bool")
TRI_STATE: Final = Type(kind="bool", unset=True)
INT: Final = Type(kind="int")
NUM: Final = Type(kind="num")
SIZE: Final = Type(kind="size")
SIZE_NUMBER: Final = Type(kind="size", pattern="number")
DURATION: Final = Type(kind="duration")
WORDS: Final = Type(kind="words", null=True, merge="replace")
PATH: Final = Type(kind="str", short=short.path, unset=True)
LABELS: Final = Type(kind="pairs")
LABELS_ONCE: Final = Type(kind="pairs", refuse=True)
UNSET: Final = Type(kind="pairs", unset=True)
UNSET_ONCE: Final = Type(kind="pairs", unset=True, refuse=True)
NUMBER_OR_TEXT: Final = Type(kind="text", strict=(str, int, float))
WHOLE_OR_TEXT: Final = Type(kind="text", strict=(str, int))
LATE_TEXT: Final = Type(kind="text", strict=(str, int), pattern="late")
ONLY_TEXT: Final = Type(kind="text", strict=(str,))
OPTIONS: Final = Type(kind="map", item=NUMBER_OR_TEXT)
POINTER: Final = Type(kind="int", unset=True)
COUNTER: Final = Type(kind="int", unset=True, least=0)
CUT: Final = Type(kind="int", pattern="cut")


def one_of(*allowed: str) -> Type:
    """A text that is one of these."""
    return Type(kind="str", allowed=allowed)


def list_of(item: Type, *, merge: Merge = "", refuse: bool = False, splice: bool = False, or_one: bool = False) -> Type:
    """A list; `or_one` takes a single text as well."""
    return Type(kind="list", item=item, merge=merge, refuse=refuse, splice=splice, short=short.listed if or_one else None)


def map_of(keys: Mapping[str, Type], *, required: tuple[str, ...] = (), read: short.Short | None = None, null: bool = False) -> Type:
    """A mapping with these keys, and `x-` keys."""
    return Type(kind="map", keys=keys, required=required, short=read, null=null)


def named(item: Type, *, checked: bool = True, read: short.Short | None = None) -> Type:
    """A mapping from names to `item`."""
    return Type(kind="map", item=item, names=checked, short=read)


STRINGS: Final = list_of(STR)
STRINGS_ONCE: Final = list_of(STR, refuse=True)
ONE_OR_ONCE: Final = list_of(STR, refuse=True, or_one=True)
STRING_SET: Final = list_of(STR, merge="set")
ONE_OR_SET: Final = list_of(STR, merge="set", or_one=True)


def _ulimits(*written: type) -> Type:
    """Limits by name, a number or a soft and a hard one; `written` are the types that YAML may give."""
    number = Type(kind="int", unset=True, strict=written)
    limit = Type(kind="int", strict=written, keys={"soft": number, "hard": number}, required=("soft", "hard"), either=True, unset=True)
    return Type(kind="map", item=limit)


ULIMITS: Final = _ulimits(int, str)
EXTRA_HOSTS: Final = Type(kind="map", item=Type(kind="list", item=ONLY_TEXT, merge="replace", unset=True), short=short.long_extra_hosts)
FILE_USES: Final[Mapping[str, Type]] = {"source": STR, "target": STR, "uid": STR, "gid": STR, "mode": Type(kind="mode")}
SECRETS: Final = list_of(map_of(FILE_USES, read=short.long_source), merge="secret")
CONFIGS: Final = list_of(map_of(FILE_USES, read=short.long_source), merge="config")

DEVICE_KEYS: Final[Mapping[str, Type]] = {
    "capabilities": STRINGS_ONCE,
    "count": Type(kind="count", unset=True, strict=(int, str)),
    "device_ids": Type(kind="list", item=STR, refuse=True, unset=True),
    "driver": STR,
    "options": LABELS_ONCE,
}

BUILD: Final = map_of(
    {
        "context": Type(kind="str", short=short.context, unset=True),
        "dockerfile": NAMED,
        "dockerfile_inline": NAMED,
        "entitlements": STRINGS,
        "args": UNSET,
        "ssh": Type(kind="pairs", unset=True, refuse=True, short=short.long_ssh),
        "labels": LABELS,
        "cache_from": STRINGS,
        "cache_to": STRINGS,
        "no_cache": BOOL,
        "no_cache_filter": ONE_OR_ONCE,
        "additional_contexts": Type(kind="pairs", item=Type(kind="text", short=short.context, strict=(str,))),
        "network": STR,
        "provenance": Type(kind="text", strict=(str, bool)),
        "sbom": Type(kind="text", strict=(str, bool)),
        "pull": BOOL,
        "target": STR,
        "shm_size": SIZE,
        "extra_hosts": EXTRA_HOSTS,
        "isolation": STR,
        "privileged": BOOL,
        "secrets": list_of(map_of(FILE_USES, read=short.long_source)),
        "tags": STRING_SET,
        "ulimits": _ulimits(int),
        "platforms": STRINGS,
    },
    read=short.long_build,
)

LIMIT: Final = list_of(Type(kind="map", keys={"path": STR, "rate": SIZE}, closed=True))
_WEIGHT: Final = Type(kind="int", strict=(int, float), least=0, most=65_535)
BLKIO: Final = Type(
    kind="map",
    closed=True,
    keys={
        "device_read_bps": LIMIT,
        "device_read_iops": LIMIT,
        "device_write_bps": LIMIT,
        "device_write_iops": LIMIT,
        "weight": _WEIGHT,
        "weight_device": list_of(Type(kind="map", keys={"path": STR, "weight": _WEIGHT}, closed=True)),
    },
)

UPDATE: Final = map_of(
    {
        "parallelism": COUNTER,
        "delay": Type(kind="duration", strict=(str,)),
        "failure_action": STR,
        "monitor": Type(kind="duration", strict=(str,)),
        "max_failure_ratio": NUM,
        "order": one_of("start-first", "stop-first"),
    }
)
_CPUS: Final = Type(kind="cpus")
_SIZE_TEXT: Final = Type(kind="size", pattern="text")
DEPLOY: Final = map_of(
    {
        "mode": STR,
        "endpoint_mode": STR,
        "replicas": POINTER,
        "labels": LABELS,
        "rollback_config": UPDATE,
        "update_config": UPDATE,
        "resources": map_of(
            {
                "limits": map_of({"cpus": _CPUS, "memory": _SIZE_TEXT, "pids": Type(kind="cpus", pattern="whole")}),
                "reservations": map_of(
                    {
                        "cpus": _CPUS,
                        "memory": _SIZE_TEXT,
                        "generic_resources": list_of(
                            map_of({"discrete_resource_spec": map_of({"kind": STR, "value": Type(kind="int", pattern="cut")})})
                        ),
                        "devices": list_of(map_of(DEVICE_KEYS, required=("capabilities",))),
                    }
                ),
            }
        ),
        "restart_policy": map_of({"condition": STR, "delay": DURATION, "max_attempts": COUNTER, "window": DURATION}),
        "placement": map_of(
            {"constraints": STRINGS, "preferences": list_of(map_of({"spread": STR})), "max_replicas_per_node": Type(kind="int", least=0)}
        ),
    },
    null=True,
)

_HOOK_KEYS: Final[Mapping[str, Type]] = {"command": WORDS, "user": STR, "privileged": BOOL, "working_dir": STR, "environment": UNSET_ONCE}
HOOKS: Final = list_of(map_of(_HOOK_KEYS, required=("command",)))
DEVELOP: Final = map_of(
    {
        "watch": list_of(
            map_of(
                {
                    "ignore": ONE_OR_ONCE,
                    "include": ONE_OR_ONCE,
                    "path": PATH,
                    "action": one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
                    "target": STR,
                    "exec": map_of(_HOOK_KEYS, required=("command",)),
                    "initial_sync": Type(kind="bool", strict=(bool,)),
                },
                required=("path", "action"),
            )
        )
    },
    null=True,
)

HEALTHCHECK: Final = map_of(
    {
        "disable": BOOL,
        "interval": DURATION,
        "retries": Type(kind="int", unset=True, least=0, pattern="cut"),
        "test": Type(kind="list", item=STR, short=short.long_test, merge="replace"),
        "timeout": DURATION,
        "start_period": DURATION,
        "start_interval": DURATION,
    }
)

PORTS: Final = Type(
    kind="list",
    splice=True,
    merge="ports",
    item=map_of(
        {
            "name": STR,
            "mode": STR,
            "host_ip": STR,
            "target": Type(kind="int", least=0, most=(1 << 32) - 1),
            "published": LATE_TEXT,
            "protocol": STR,
            "app_protocol": STR,
        },
        read=short.long_port,
        required=("target",),
    ),
)

VOLUMES: Final = Type(
    kind="list",
    merge="target",
    item=map_of(
        {
            "type": one_of("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
            "source": STR,
            "target": STR,
            "read_only": BOOL,
            "consistency": STR,
            "bind": map_of(
                {
                    "propagation": STR,
                    "create_host_path": TRI_STATE,
                    "recursive": one_of("enabled", "disabled", "writable", "readonly"),
                    "selinux": one_of("z", "Z"),
                }
            ),
            "volume": map_of({"labels": LABELS, "nocopy": BOOL, "subpath": STR}),
            "tmpfs": map_of({"size": Type(kind="size", least=0), "mode": Type(kind="int", strict=(int, float))}),
            "image": map_of({"subpath": STR}),
        },
        read=short.long_volume,
        required=("target",),
    ),
)

NETWORKS: Final = named(
    map_of(
        {
            "aliases": STRING_SET,
            "interface_name": STR,
            "ipv4_address": STR,
            "ipv6_address": STR,
            "link_local_ips": STRING_SET,
            "mac_address": STR,
            "driver_opts": OPTIONS,
            "priority": Type(kind="int", strict=(int, float), pattern="cut"),
            "gw_priority": Type(kind="int", strict=(int, float), pattern="cut"),
        },
        null=True,
    ),
    checked=False,
    read=short.long_names,
)

_CONTAINER: Final[Mapping[str, Type]] = {
    "annotations": LABELS,
    "attach": TRI_STATE,
    "blkio_config": BLKIO,
    "cap_add": STRING_SET,
    "cap_drop": STRING_SET,
    "cgroup": one_of("host", "private"),
    "cgroup_parent": STR,
    "command": WORDS,
    "configs": CONFIGS,
    "cpu_count": Type(kind="int", least=0),
    "cpu_percent": Type(kind="int", least=0, most=100, pattern="percent"),
    "cpu_shares": CUT,
    "cpu_quota": CUT,
    "cpu_period": CUT,
    "cpu_rt_period": CUT,
    "cpu_rt_runtime": CUT,
    "cpus": NUM,
    "cpuset": STR,
    "credential_spec": map_of({"config": STR, "file": STR, "registry": STR}),
    "device_cgroup_rules": list_of(STR, refuse=True),
    "devices": list_of(
        map_of({"source": STR, "target": STR, "permissions": STR}, read=short.long_devices, required=("source", "target")), merge="target"
    ),
    "dns": list_of(NAMED, merge="set", or_one=True),
    "dns_opt": STRING_SET,
    "dns_search": ONE_OR_SET,
    "domainname": STR,
    "entrypoint": WORDS,
    "env_file": Type(
        kind="list",
        short=short.listed,
        merge="path",
        item=Type(
            kind="map",
            keys={"path": PATH, "format": STR, "required": TRI_STATE},
            required=("path",),
            short=short.long_env_file,
            closed=True,
        ),
    ),
    "label_file": list_of(PATH, or_one=True),
    "environment": UNSET,
    "extra_hosts": EXTRA_HOSTS,
    "gpus": Type(kind="list", item=Type(kind="map", keys=DEVICE_KEYS, open=True), short=short.long_gpus),
    "group_add": list_of(LATE_TEXT, refuse=True),
    "hostname": STR,
    "image": STR,
    "init": TRI_STATE,
    "ipc": STR,
    "isolation": STR,
    "labels": LABELS,
    "logging": Type(
        kind="map",
        keys={"driver": STR, "options": Type(kind="map", item=Type(kind="text", null=True, strict=(str, int, float)))},
        merge="logging",
    ),
    "mac_address": STR,
    "mem_limit": SIZE_NUMBER,
    "mem_reservation": SIZE,
    "mem_swappiness": SIZE,
    "memswap_limit": SIZE_NUMBER,
    "network_mode": NAMED,
    "models": named(map_of({"endpoint_var": STR, "model_var": STR}, null=True), read=short.long_names),
    "networks": NETWORKS,
    "oom_kill_disable": BOOL,
    "oom_score_adj": Type(kind="int", least=-1000, most=1000),
    "pid": Type(kind="str", null=True),
    "pids_limit": CUT,
    "platform": STR,
    "privileged": BOOL,
    "pull_policy": Type(kind="str", pattern=r"(always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+)\Z"),
    "pull_refresh_after": STR,
    "read_only": BOOL,
    "runtime": STR,
    "security_opt": list_of(STR, refuse=True),
    "shm_size": SIZE_NUMBER,
    "secrets": SECRETS,
    "sysctls": LABELS,
    "stop_grace_period": DURATION,
    "stop_signal": STR,
    "storage_opt": Type(kind="map", item=Type(kind="text", null=True, strict=(str, int))),
    "tmpfs": ONE_OR_SET,
    "ulimits": ULIMITS,
    "use_api_socket": Type(kind="bool", strict=(bool,)),
    "user": STR,
    "userns_mode": STR,
    "uts": STR,
    "volumes": VOLUMES,
    "volumes_from": list_of(STR, refuse=True),
    "working_dir": STR,
}

SERVICE: Final = map_of(
    {
        **_CONTAINER,
        "build": BUILD,
        "container_name": Type(kind="str", pattern=r".*[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
        "depends_on": named(
            map_of(
                {
                    "condition": one_of("service_started", "service_healthy", "service_completed_successfully"),
                    "required": TRI_STATE,
                    "restart": BOOL,
                },
                required=("condition",),
            ),
            read=short.long_depends_on,
        ),
        "deploy": DEPLOY,
        "develop": DEVELOP,
        "expose": list_of(WHOLE_OR_TEXT, merge="text"),
        "extends": Type(kind="map", keys={"service": STR, "file": STR}, required=("service",), short=short.long_extends),
        "external_links": list_of(STR, refuse=True),
        "healthcheck": HEALTHCHECK,
        "links": STRING_SET,
        "ports": PORTS,
        "post_start": HOOKS,
        "pre_start": list_of(map_of({**_CONTAINER, **_HOOK_KEYS, "per_replica": BOOL})),
        "pre_stop": HOOKS,
        "profiles": STRING_SET,
        "provider": map_of(
            {"type": STR, "options": Type(kind="map", item=Type(kind="list", item=TEXT, short=short.long_option_values))},
            required=("type",),
        ),
        "restart": STR,
        "scale": POINTER,
        "stdin_open": BOOL,
        "tty": BOOL,
    }
)

NETWORK: Final = map_of(
    {
        "name": NAMED,
        "driver": STR,
        "driver_opts": OPTIONS,
        "ipam": map_of(
            {
                "driver": STR,
                "config": Type(
                    kind="list",
                    merge="subnet",
                    item=map_of({"subnet": STR, "ip_range": STR, "gateway": STR, "aux_addresses": Type(kind="map", item=ONLY_TEXT)}),
                ),
                "options": Type(kind="map", item=ONLY_TEXT),
            }
        ),
        "external": BOOL,
        "internal": BOOL,
        "enable_ipv4": TRI_STATE,
        "enable_ipv6": TRI_STATE,
        "attachable": BOOL,
        "labels": LABELS,
    },
    null=True,
    read=short.long_external,
)
VOLUME: Final = map_of(
    {"name": NAMED, "driver": STR, "driver_opts": OPTIONS, "external": BOOL, "labels": LABELS_ONCE},
    null=True,
    read=short.long_external,
)
SECRET: Final = map_of(
    {
        "name": NAMED,
        "environment": NAMED,
        "file": Type(kind="str", short=short.resource_path),
        "external": TRI_STATE,
        "labels": LABELS_ONCE,
        "driver": STR,
        "driver_opts": Type(kind="map", item=WHOLE_OR_TEXT),
        "template_driver": STR,
    },
    read=short.long_external_open,
)
CONFIG: Final = map_of(
    {
        "name": NAMED,
        "content": Type(kind="str", unset=True),
        "environment": NAMED,
        "file": Type(kind="str", short=short.resource_path),
        "external": TRI_STATE,
        "labels": LABELS_ONCE,
        "template_driver": STR,
    },
    read=short.long_external_open,
)
MODEL: Final = map_of(
    {"name": STR, "model": STR, "context_size": Type(kind="int", strict=(int, float)), "runtime_flags": STRINGS}, required=("model",)
)

PROJECT: Final = map_of(
    {
        "name": STR,
        "version": STR,
        "services": named(SERVICE),
        "networks": named(NETWORK, checked=False),
        "volumes": named(VOLUME),
        "secrets": named(SECRET),
        "configs": named(CONFIG),
        "models": named(MODEL),
    }
)

_FORMER: Final[Mapping[str, str]] = {
    "cpu_limit": "cpus", "log_driver": "logging.driver", "log_opt": "logging.options", "memory": "mem_limit", "net": "network_mode",
    "volume_driver": "volumes.NAME.driver", "cpuset_cpus": "cpuset", "env": "environment", "args": "command", "cmd": "command",
    "name": "container_name", "replicas": "deploy.replicas",
}  # fmt: skip
"""Keys of old files and of other programs, and what says it in a service today."""


def elsewhere(key: str, type_: Type) -> list[str]:
    """Where a key belongs that is unknown in a service, in a part of it or at the top of a file; nothing for one that belongs nowhere.

    >>> elsewhere("interval", SERVICE), elsewhere("net", SERVICE), elsewhere("image", PROJECT), elsewhere("zz", SERVICE)
    (['healthcheck.interval'], ['network_mode'], ['services.NAME.image'], [])
    """
    if type_ is not SERVICE:
        return [f"services.NAME.{key}"] if key in SERVICE.keys else []
    if key in _FORMER:
        return [_FORMER[key]]
    if key in PROJECT.keys:
        return [f"{key} at the top of the file"]
    return [f"{block}.{key}" for block in ("build", "deploy", "healthcheck", "logging") if key in SERVICE.keys[block].keys]
