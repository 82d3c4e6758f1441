"""The community's money: limits, and the append-only ledger of credits."""
