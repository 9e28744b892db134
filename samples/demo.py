"""`make demo`: the samples from their Compose files to capacity reports, each step the command that a user would type.

The results go to `.demo/`; the last line printed is the path of the shop's HTML report. A step that fails ends the demo.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = Path(".demo")
DONE, DONE_WITH_FINDINGS = 0, 1

STEPS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    (
        "The slide's own file, broken as it is: every fault with its line, repaired as an assumption, converted",
        "migrate convert -f samples/slides/docker-compose.yml -o .demo/slides/manifests --report .demo/slides/conversion.html",
        (DONE_WITH_FINDINGS,),
    ),
    (
        "A shop whose eight containers call each other by address, also in mounted files",
        "migrate convert -f samples/shop/docker-compose.yml -o .demo/shop/manifests --report .demo/shop/conversion.html",
        (DONE,),
    ),
    ("What became of each address", "migrate addresses -f samples/shop/docker-compose.yml", (DONE,)),
    (
        "The blog of the demo, scaled by its load (namespace dev)",
        "migrate convert -f samples/ghost/docker-compose.yml --plan samples/ghost/plan.dev.yaml --namespace dev -o .demo/ghost/dev",
        (DONE,),
    ),
    (
        "The same with four copies (namespace tst)",
        "migrate convert -f samples/ghost/docker-compose.yml --plan samples/ghost/plan.tst.yaml --namespace tst -o .demo/ghost/tst",
        (DONE,),
    ),
    (
        "kubectl autoscale deploy ghost --min=1 --max=10 --cpu-percent=20, under load",
        "simulate autoscale .demo/ghost/dev -s samples/ghost/scenario.yaml --deployment ghost --min 1 --max 10 --cpu-percent 20"
        " -o .demo/ghost/autoscale",
        (DONE,),
    ),
    (
        "A rolling update of four copies, maxSurge 1 and maxUnavailable 1, under load",
        "simulate rollout .demo/ghost/tst -s samples/ghost/scenario.yaml --deployment ghost --max-surge 1 --max-unavailable 1"
        " -o .demo/ghost/rollout",
        (DONE,),
    ),
    (
        "Half an hour of the shop with a rolling update in the middle",
        "simulate run .demo/shop/manifests -s samples/shop/scenario.yaml -o .demo/shop/run",
        (DONE,),
    ),
    (
        "The blog on the machine of today and in the cluster, with the same requests: one process stopped and started, four pods rolled",
        "simulate compare cluster=.demo/ghost/tst -s samples/ghost/scenario.yaml --replications 3 -o .demo/ghost/compare",
        (DONE,),
    ),
)


def main() -> int:
    """Run every step in order from the root of the checkout; 1 if a step ended otherwise than it should."""
    shutil.rmtree(HERE.parent / OUT, ignore_errors=True)
    for title, command, expected in STEPS:
        print(f"\n# {title}\n$ {command}", flush=True)
        program, *arguments = command.split()
        ended = subprocess.run([sys.executable, "-m", program, *arguments], cwd=HERE.parent, check=False)  # noqa: S603
        if ended.returncode not in expected:
            print(f"demo: this step should have ended with {expected[0]}, it ended with {ended.returncode}", file=sys.stderr)
            return 1
    print(f"\nThe conversion reports: {OUT}/slides/conversion.html, {OUT}/shop/conversion.html")
    print(f"The capacity reports: {OUT}/ghost/autoscale/report.html, {OUT}/ghost/rollout/report.html and")
    print((HERE.parent / OUT / "shop" / "run" / "report.html").resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
