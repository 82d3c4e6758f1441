"""Files: downloaded from elsewhere, and archived."""
