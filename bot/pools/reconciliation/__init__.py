"""Reconciliation: whether sums, ledger and the provider's balance agree."""
