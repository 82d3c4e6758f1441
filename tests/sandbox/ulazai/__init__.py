"""Tests of the local UlazAI."""
