"""All SQL of jobs."""
