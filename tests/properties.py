"""How hard properties are tried: enough to find what examples miss, within a test run of a minute."""

from hypothesis import HealthCheck, settings

PROPERTY = settings(max_examples=80, deadline=None)
# With a real database behind each step.
STEPS = settings(max_examples=14, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
