"""Every error of our own.

    ReelpoolError
    ├── SettingsError            the settings are wrong; every fault in one message
    ├── StorageError             the database can't be opened, read or written
    │   └── DatabaseInUseError   another bot is running on it
    ├── DiscordUnavailableError  Discord refused the bot's token or could not be reached at start
    ├── RefusedError             a request is not accepted; nothing was spent
    │   └── PromptRefusedError   the prompt contains a listed word; a moderator can be asked
    ├── AnsweredElsewhereError   another process with this bot's token has answered the interaction
    ├── DuplicateInteractionError  Discord delivered an interaction that was handled before
    ├── HeldByRulesError         a rule of the moderators' keeps a queued job from being submitted
    ├── TransitionError          a job was not in a state from which it could be moved
    ├── ProviderError
    │   ├── NotStartedError      it is certain that nothing was started or spent
    │   │   ├── ProviderRejectedError      400, 413, 415, 422, or a success that says no
    │   │   ├── ProviderKeyError           401, 403
    │   │   ├── ProviderAddressError       3xx, 405
    │   │   ├── ProviderOutOfCreditsError  402
    │   │   ├── ProviderNotFoundError      404
    │   │   ├── ProviderBusyError          429
    │   │   └── ProviderUnreachableError   the connection was never made
    │   └── ProviderUnclearError anything else: it may have been started and charged
    ├── DownloadError            a file could not be downloaded now
    │   └── DownloadRefusedError it never will be: it is too large, or its address is not allowed
    └── DeliveryError
        ├── PlaceRefusedError    Discord does not accept this message in this place
        └── DeliveryDelayedError Discord is away or busy: the same place, later

Each carries its data; `cogs/rendering/refusals.py` says what a member is shown.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.codes import Reason, Refusal, Value, WaitReason


class ReelpoolError(Exception):
    """The root of every error of our own."""


class SettingsError(ReelpoolError):
    """The settings are wrong; `faults` names each of them."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(("The settings need attention:", *(f"  - {fault}" for fault in faults))))


class StorageError(ReelpoolError):
    """The database can't be opened, read or written."""


class DatabaseInUseError(StorageError):
    """Another bot is running on this database: two would submit and post everything twice."""


class DiscordUnavailableError(ReelpoolError):
    """Discord refused the bot's token or could not be reached at start."""


class RefusedError(ReelpoolError):
    """A request is not accepted; nothing was spent.

    Attributes:
        reason: why, as a code with its data.
    """

    def __init__(self, code: Refusal, **data: Value) -> None:
        self.reason = Reason(code, data)
        super().__init__(str(self.reason))


class PromptRefusedError(RefusedError):
    """The prompt contains a listed word; the member does not learn which, but can ask a moderator."""

    def __init__(self) -> None:
        super().__init__(Refusal.PROMPT_NOT_ALLOWED)


class AnsweredElsewhereError(ReelpoolError):
    """Another process with this bot's token has answered the interaction: that one goes on, and this one must not."""


class DuplicateInteractionError(ReelpoolError):
    """Discord delivered an interaction that this process has handled before, or is handling; it is not answered."""


class HeldByRulesError(ReelpoolError):
    """A pause or a block keeps a queued job from being submitted; it stays queued.

    Attributes:
        reason: which of them.
        until: when it ends by itself; None: it does not.
    """

    def __init__(self, reason: WaitReason, until: datetime | None = None) -> None:
        super().__init__(reason.value)
        self.reason, self.until = reason, until


class TransitionError(ReelpoolError):
    """A job was not in a state from which it could be moved."""

    def __init__(self, job_id: int, target: str) -> None:
        super().__init__(f"job {job_id} can't become {target} from where it is")
        self.job_id, self.target = job_id, target


class ProviderError(ReelpoolError):
    """The provider did not do what was asked."""


class NotStartedError(ProviderError):
    """It is certain that nothing was started or spent."""


class ProviderRejectedError(NotStartedError):
    """400, 413, 415, 422, or an answer that says so: the request is refused as it stands.

    Attributes:
        reason: the provider's own words; None: it gave no reason.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason or "no reason given")
        self.reason = reason


class ProviderKeyError(NotStartedError):
    """401 or 403: the key is missing, wrong, revoked or suspended, or a firewall stands before it."""


class ProviderAddressError(NotStartedError):
    """A redirect or 405: the address is not that of the API."""


class ProviderOutOfCreditsError(NotStartedError):
    """402: the account has too few purchased credits."""

    def __init__(self, needed: int | None = None, balance: int | None = None) -> None:
        super().__init__(f"the account has too few credits (needed {needed}, there are {balance})")
        self.needed, self.balance = needed, balance


class ProviderNotFoundError(NotStartedError):
    """404: the task is unknown, or the address is not the provider's."""


class ProviderBusyError(NotStartedError):
    """429: too many requests; `retry_after_seconds` is what the provider asks for, if it does."""

    def __init__(self, retry_after_seconds: float | None = None) -> None:
        super().__init__("too many requests")
        self.retry_after_seconds = retry_after_seconds


class ProviderUnreachableError(NotStartedError):
    """The connection was never made, so nothing was sent."""


class ProviderUnclearError(ProviderError):
    """No answer, or one that can't be read: the request may have been carried out."""


class DownloadError(ReelpoolError):
    """A file could not be fetched, or is not one that we fetch."""


class DownloadRefusedError(DownloadError):
    """A file that no later try will get: it is too large, or its address is not one to fetch from."""


class DeliveryError(ReelpoolError):
    """A message could not be posted."""


class PlaceRefusedError(DeliveryError):
    """Discord does not accept this message in this place: try the next one."""


class DeliveryDelayedError(DeliveryError):
    """Discord is away or busy: try the same place again, later."""
