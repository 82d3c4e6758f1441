"""Words that prompts may not contain."""
