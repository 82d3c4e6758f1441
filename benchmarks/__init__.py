"""Measurements, one command each; every one writes its table to docs/performance.md."""
