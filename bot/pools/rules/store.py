"""Write changes of a server's rules, each with its audit entry in the same transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import AuditAction, Reason, Value
from bot.pools.models import Pool
from bot.pools.policy import Policy, difference, document_of
from bot.storage.database import note_pool_change
from bot.storage.schema import audit_entries, pools


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What a moderator changes.

    Attributes:
        action: for the audit trail, which also gets what is different then.
        make: returns the new rules; it may raise `RefusedError`.
    """

    action: AuditAction
    make: Callable[[Policy], Policy]


async def change_policy(
    connection: AsyncConnection, pool: Pool, actor_id: int, change: PolicyChange, now: datetime
) -> Policy:
    """Change the rules of a pool.

    Args:
        connection: of the transaction.
        pool: read in this very transaction.
        actor_id: of the moderator.
        change: what is to be changed.
        now: the time.

    Returns:
        The new rules. Where they are the same as before, nothing is written.

    Raises:
        RefusedError: `change` refused.
    """
    policy = change.make(pool.policy)
    if policy == pool.policy:
        return policy
    query = update(pools).where(pools.c.guild_id == pool.guild_id).values(policy=document_of(policy))
    await connection.execute(query)
    note_pool_change(connection, pool.guild_id)
    before, after = difference(pool.policy, policy)
    await write_audit(connection, pool.guild_id, actor_id, change.action, now, before=before, after=after)
    return policy


async def write_audit(
    connection: AsyncConnection, guild_id: int, actor_id: int, action: AuditAction, now: datetime, **data: Value
) -> None:
    """Add an entry to the audit trail.

    Args:
        connection: of the transaction.
        guild_id: of the server.
        actor_id: of the moderator.
        action: what they did.
        now: the time.
        data: what the entry's sentence names.
    """
    detail = Reason(action, data).to_json()
    query = insert(audit_entries).values(
        guild_id=guild_id, actor_id=actor_id, action=action.value, detail=detail, created_at=now
    )
    await connection.execute(query)
