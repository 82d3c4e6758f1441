"""Somebody else uses the account that the bot pays from: its operator sees since which jobs, and nobody else does."""

from pathlib import Path

from tests.e2e.pool import MODERATOR, OPERATOR, use
from tests.e2e.stage import Stage, staged


async def make(stage: Stage, count: int) -> None:
    """Make one video after the other."""
    for _ in range(count):
        done = len(stage.jobs)
        await stage.ask()
        await stage.delivered(done + 1)


async def test_the_operator_sees_by_how_much_and_between_which_jobs(tmp_path: Path) -> None:
    async with staged(tmp_path, limit_active_jobs=0, limit_window_credits=0, pool_starting_credits=1000) as stage:
        await make(stage, 2)
        assert "The ledger agrees with UlazAI's balance." in await use(stage, "pool show", OPERATOR)
        stage.ulazai.set_credits(stage.ulazai.credits - 77)
        await make(stage, 2)
        told = await use(stage, "pool show", OPERATOR)
        assert "**-77 credits** in UlazAI's balance are not explained by the ledger" in told
        assert "-77 between #2 and #3, with #3 booked there" in told
        assert "The last two balances that agree are those of #3 and #4." in told
        assert "Left to spend: **780** credits" in told
        assert f"UlazAI's balance: **{stage.ulazai.credits}**" in told
        assert "-77" not in await use(stage, "pool show", MODERATOR)


async def test_a_deposit_beyond_the_accounts_balance_says_so_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path, pool_starting_credits=1000, pool_managers_may_deposit=True) as stage:
        # Nobody knows the balance yet.
        assert "Not covered" not in await use(stage, "pool deposit", OPERATOR, credits=500, reason="more")
        await make(stage, 1)
        covered = stage.ulazai.credits - (1500 - 55)
        assert "Not covered" not in await use(stage, "pool deposit", OPERATOR, credits=covered, reason="all of it")
        told = await use(stage, "pool deposit", OPERATOR, credits=7, reason="too much")
        assert "All servers together can now spend 7 credits more than UlazAI's balance." in told
        told = await use(stage, "pool deposit", MODERATOR, credits=1, reason="too much")
        assert "can now spend more than UlazAI's balance. Please tell the bot's operator." in told
        assert "8" not in told.split("Not covered")[1]
