"""What moderators decide about jobs: approvals and unconfirmed jobs."""
