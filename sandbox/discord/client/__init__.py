"""The API that the page calls, described in docs/sandbox-client-api.md."""
