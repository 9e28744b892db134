"""Benchmarks: each compares with a peer or a limit in the same run, because absolute times of a noisy machine mislead."""
