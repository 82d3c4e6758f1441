"""What the moderators of a server, and the operator, do with its pool."""

from bot.clock import Clock
from bot.pools.models import Pool, Terms
from bot.pools.rows import open_pool
from bot.storage.database import Database


class PoolService:
    """A server's pool and its rules. It answers from the database alone and never waits for the network."""

    def __init__(self, database: Database, clock: Clock, terms: Terms) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms

    @property
    def managers_may_deposit(self) -> bool:
        """Whether moderators may deposit and withdraw, or the bot's operator alone."""
        return self._terms.managers_may_deposit

    async def pool(self, guild_id: int) -> Pool:
        """Return a server's pool; one that is seen for the first time is opened."""
        async with self._database.transaction() as connection:
            return await open_pool(connection, guild_id, self._terms.starting_credits, self._clock.now())
