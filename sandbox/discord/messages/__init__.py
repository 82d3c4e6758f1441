"""Messages, threads and pins: checked, posted, edited, and written as Discord's JSON."""
