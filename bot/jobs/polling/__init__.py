"""When to poll a job next. Pure; `policy` is the door."""
