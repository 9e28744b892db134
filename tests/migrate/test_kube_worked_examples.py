# ruff: noqa: E501
"""The worked examples of the conversion's specification (6.1 to 6.10), essential fields only."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from migrate import verify
from migrate.findings import Severity
from tests.migrate.planned import contains, objects_of

EXAMPLES = {
    "6.1 own address bound": (
        """
services:
  redis: {image: "redis:7", command: redis-server --bind 172.28.0.11, networks: {n: {ipv4_address: 172.28.0.11}}}
  app: {image: "app:1", environment: {CACHE: "172.28.0.11:6379", APP_IP: 172.28.0.20}, networks: {n: {ipv4_address: 172.28.0.20}}}
networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}
""",
        {},
        """
Service/redis: {spec: {ports: [{name: tcp-6379, port: 6379, targetPort: 6379}]}}
Deployment/redis: {spec: {template: {spec: {enableServiceLinks: false, containers: [{name: redis, image: "redis:7", args: [redis-server, --bind, 0.0.0.0]}]}}}}
Deployment/app:
  spec:
    template:
      spec:
        containers:
        - name: app
          env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: CACHE, value: "redis:6379"}, {name: APP_IP, value: $(POD_IP)}]
""",
    ),
    "6.3 shell health check, waited for": (
        """
services:
  db:
    image: "postgres:16"
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: "pg_isready -U $$USER || exit 1", interval: 10s, timeout: 500ms, retries: 5, start_period: 30s}
  app: {image: "app:1", depends_on: {db: {condition: service_healthy}}}
volumes: {data: }
""",
        {},
        """
Service/db-ready: {spec: {clusterIP: None}}
StatefulSet/db:
  spec:
    serviceName: db
    template:
      spec:
        containers:
        - name: db
          readinessProbe: {exec: {command: [/bin/sh, -c, "pg_isready -U $USER || exit 1"]}, periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 5}
          volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data, subPath: data}]
    volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}}]
Deployment/app:
  spec:
    template:
      spec:
        initContainers: [{name: wait-for-db, image: "alpine:3.22", command: [/bin/sh, -c, "until getent hosts db-ready >/dev/null; do sleep 2; done"]}]
        containers: [{name: app, image: "app:1"}]
""",
    ),
    "6.4 shared volume": (
        """
services:
  web: {image: "web:1", volumes: ["media:/media"]}
  worker: {image: "worker:1", volumes: ["media:/media"]}
volumes: {media: }
""",
        {},
        """
PersistentVolumeClaim/media: {spec: {accessModes: [ReadWriteOnce]}}
Deployment/worker:
  spec:
    strategy: {type: Recreate}
    template:
      metadata: {labels: {app.kubernetes.io/name: worker, compose-cutover/volume-media: member}}
      spec:
        affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {compose-cutover/volume-media: member}}}]}}
        containers: [{name: worker, image: "worker:1", volumeMounts: [{name: media, mountPath: /media}]}]
        volumes: [{name: media, persistentVolumeClaim: {claimName: media}}]
Deployment/web: {spec: {template: {metadata: {labels: {compose-cutover/volume-media: member}}}}}
""",
    ),
    "6.5 one-shot": (
        """
services:
  migrate: {image: "app:1", command: migrate, restart: "on-failure:3"}
  app: {image: "app:1", depends_on: {migrate: {condition: service_completed_successfully}}}
  jobs: {image: "app:1", depends_on: {migrate: {condition: service_completed_successfully}}}
""",
        {},
        """
Job/migrate: {spec: {backoffLimit: 3, template: {spec: {restartPolicy: OnFailure, containers: [{name: migrate, image: "app:1", args: [migrate]}]}}}}
Role/app: {rules: [{apiGroups: [batch], resources: [jobs], resourceNames: [migrate], verbs: [get, list, watch]}]}
Deployment/app:
  spec:
    template:
      spec:
        serviceAccountName: app
        automountServiceAccountToken: true
        initContainers: [{name: wait-for-migrate, image: "registry.k8s.io/kubectl:v1.35.0", args: [wait, --for=condition=complete, job/migrate, --timeout=-1s]}]
        containers: [{name: app, image: "app:1"}]
""",
    ),
    "6.6 one pod for a network namespace": (
        """
services:
  vpn: {image: "vpn:1", cap_add: [NET_ADMIN], ports: ["8080:8080"], healthcheck: {test: [CMD, /healthcheck]}}
  torrent: {image: "torrent:1", network_mode: "service:vpn", depends_on: {vpn: {condition: service_healthy}}}
""",
        {},
        """
Service/torrent: {spec: {selector: {compose-cutover/pod: vpn}, ports: [{name: tcp-8080, port: 8080}]}}
Deployment/vpn:
  spec:
    template:
      metadata: {labels: {app.kubernetes.io/name: vpn, compose-cutover/pod: vpn}}
      spec:
        initContainers:
        - name: vpn
          image: vpn:1
          restartPolicy: Always
          securityContext: {capabilities: {add: [NET_ADMIN]}}
          startupProbe: {exec: {command: [/healthcheck]}, periodSeconds: 10, failureThreshold: 9}
        containers: [{name: torrent, image: "torrent:1"}]
""",
    ),
    "6.7 published and target differ": (
        'services: {web: {image: "web:1", ports: ["18080:8080"]}}',
        {},
        """
Service/web: {spec: {ports: [{name: tcp-8080, port: 8080, targetPort: 8080}, {name: tcp-18080, port: 18080, targetPort: 8080}]}}
Service/web-published: {spec: {type: LoadBalancer, ports: [{name: tcp-18080, port: 18080, targetPort: 8080}]}}
NetworkPolicy/web-published: {spec: {policyTypes: [Ingress], ingress: [{ports: [{port: 8080, protocol: TCP}]}]}}
NetworkPolicy/net-default:
  spec:
    podSelector: {matchLabels: {compose-cutover/net-default: member}}
    policyTypes: [Ingress]
    ingress: [{from: [{podSelector: {matchLabels: {compose-cutover/net-default: member}}}]}]
""",
    ),
    "6.8 secret files": (
        """
services: {app: {image: "app:1", secrets: [db_pw, {source: tls, target: key.pem, mode: 0440}]}}
secrets: {db_pw: {file: pw.txt}, tls: {file: tls.pem}}
""",
        {"pw.txt": "s3cret", "tls.pem": "key"},
        """
Secret/db-pw: {stringData: {db_pw: s3cret}}
Deployment/app:
  spec:
    template:
      spec:
        automountServiceAccountToken: false
        containers: [{name: app, image: "app:1", volumeMounts: [{name: secrets, mountPath: /run/secrets, readOnly: true}]}]
        volumes:
        - name: secrets
          projected:
            defaultMode: 292
            sources: [{secret: {name: db-pw, items: [{key: db_pw, path: db_pw}]}}, {secret: {name: tls, items: [{key: tls, path: key.pem, mode: 288}]}}]
""",
    ),
    "6.10 names that are not labels": (
        """
services:
  Auth_API: {image: "auth:1"}
  scm1.org: {image: "ozone:1", environment: {AUTH: "http://Auth_API:3000"}}
""",
        {},
        """
Service/org: {spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {compose-cutover/subdomain: org}}}
Service/auth-api: {spec: {ports: [{port: 3000}]}}
Deployment/scm1-org:
  spec:
    template:
      metadata: {labels: {app.kubernetes.io/name: scm1-org, compose-cutover/subdomain: org}}
      spec: {hostname: scm1, subdomain: org, containers: [{name: scm1-org, image: "ozone:1", env: [{name: AUTH, value: "http://auth-api:3000"}]}]}
""",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(name: str, tmp_path: Path) -> None:
    text, files, wanted = EXAMPLES[name]
    objects = objects_of(tmp_path, text, files=files)
    for key, fields in yaml.safe_load(wanted).items():
        assert key in objects, (key, sorted(objects))
        assert contains(objects[key], fields), yaml.safe_dump(objects[key], sort_keys=False)


@pytest.mark.parametrize("version", ["1.25", "1.35", "1.37"])
def test_objects_fit_the_strict_schemas(version: str, tmp_path: Path) -> None:
    for text, files, _ in EXAMPLES.values():
        objects = objects_of(tmp_path, text, f'project: {{kubernetesVersion: "{version}"}}\n', files)
        found = verify.check(tuple(objects.values()), kubernetes_version=version)
        assert [f.message for f in found if f.severity is Severity.ERROR] == []
