"""The tests, and the entry points that run recorded truth: `python -m tests.oracle`."""
