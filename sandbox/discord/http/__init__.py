"""Parts of HTTP that the bot's API and the page's API share: bodies, files, errors, JSON."""
