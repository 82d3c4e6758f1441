"""One request for one video, from asked to posted."""
