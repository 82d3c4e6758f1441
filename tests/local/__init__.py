"""The sandbox's two servers as tests and benchmarks use them: with people, fault injection and a log of requests."""
