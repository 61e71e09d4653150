"""Benchmarks: what the engine does, beside what one would write by hand, on the same evidence."""
