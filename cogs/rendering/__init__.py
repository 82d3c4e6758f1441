"""All text and embeds that people see: the one place to translate."""
