"""Changes of a server's rules, in SQL: each with its entry in the audit trail, in the same transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.pools.models import Pool
from bot.pools.policy import Policy, document_of
from bot.storage.database import note_pool_change
from bot.storage.schema import audit_entries, pools

MAX_DETAIL = 1000
"""Characters of an audit entry's detail; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What a moderator wants to be different.

    Attributes:
        action: the command, in a word or two, for the audit trail.
        detail: for the audit trail; or what says how the part in question looks, before and after.
        make: returns the rules as they shall be; it may refuse by raising a `ChangeRefusedError`.
    """

    action: str
    detail: str | Callable[[Policy], str]
    make: Callable[[Policy], Policy]

    def describe(self, before: Policy, after: Policy) -> str:
        """Return what the audit trail says of it."""
        if isinstance(self.detail, str):
            return self.detail
        return f"{self.detail(before)} → {self.detail(after)}"


async def change_policy(
    connection: AsyncConnection, pool: Pool, actor_id: int, change: PolicyChange, now: datetime
) -> Policy:
    """Change the rules of a pool that was read in this very transaction.

    Returns:
        The new rules. Where they are the same as before, nothing is written.
    """
    policy = change.make(pool.policy)
    if policy == pool.policy:
        return policy
    query = update(pools).where(pools.c.guild_id == pool.guild_id).values(policy=document_of(policy))
    await connection.execute(query)
    note_pool_change(connection, pool.guild_id)
    await write_audit(connection, pool.guild_id, actor_id, change.action, change.describe(pool.policy, policy), now)
    return policy


async def write_audit(
    connection: AsyncConnection, guild_id: int, actor_id: int, action: str, detail: str, now: datetime
) -> None:
    """Write down what a moderator did."""
    detail = detail if len(detail) <= MAX_DETAIL else f"{detail[: MAX_DETAIL - 1]}…"
    query = insert(audit_entries).values(
        guild_id=guild_id, actor_id=actor_id, action=action, detail=detail, created_at=now
    )
    await connection.execute(query)
