"""Rules of a server: admission, limits, and how moderators change them."""
