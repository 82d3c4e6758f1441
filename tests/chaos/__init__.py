"""The promise under SIGKILL: the real bot process is killed again and again, and the books are compared at the end."""
