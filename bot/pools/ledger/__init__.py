"""The append-only ledger: entries, queries, reports, export."""
