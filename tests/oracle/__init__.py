"""Recorded truth, replayed: `python -m tests.oracle compose|hpa|deployment|traces|traffic|corpus PATH...`."""
