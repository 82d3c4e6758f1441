"""A Discord on loopback: gateway, REST, and the people at the page."""
