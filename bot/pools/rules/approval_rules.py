"""Which videos wait for a moderator, and where moderators are asked: how that is changed, and in words. Pure."""

from dataclasses import replace

from bot.pools.policy import Policy
from bot.pools.rules.input_checks import check_credits


def set_approval_price(policy: Policy, price: int | None) -> Policy:
    """Set the price from which a job needs a moderator; None: no price does.

    Raises:
        ChangeRefusedError: that is no price.
    """
    return replace(policy, approval_price=None if price is None else check_credits(price))


def set_moderators_channel(policy: Policy, channel_id: int | None) -> Policy:
    """Set where moderators are asked; None: where the video was asked for."""
    return replace(policy, moderators_channel=channel_id)


def in_words(policy: Policy) -> str:
    """What is set, for the audit trail."""
    price = "at no price" if policy.approval_price is None else f"from {policy.approval_price} credits on"
    channel = "in no channel" if policy.moderators_channel is None else f"in <#{policy.moderators_channel}>"
    return f"approval {price}, asked {channel}"
