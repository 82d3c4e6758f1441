"""Tests of the limits and the books."""
