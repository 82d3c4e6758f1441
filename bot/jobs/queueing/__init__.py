"""Queueing for the provider: fair queue, rate limiter, circuit breaker. Pure, and knows nothing of jobs."""
