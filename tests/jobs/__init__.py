"""Tests of jobs: rules, rows, and the worker that drives them."""
