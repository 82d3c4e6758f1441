"""What the REST API and the client API share: request bodies, files, form errors and JSON responses."""
