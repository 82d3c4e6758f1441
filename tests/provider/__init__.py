"""Tests of the provider's client."""
