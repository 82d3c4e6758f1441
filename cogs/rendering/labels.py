"""Labels of options, choices and kinds of video, with durations and prices from the price list."""

from bot.jobs.validation import ASPECT_RATIOS, DURATIONS_SECONDS, PUBLISH_DISCOUNT, list_price
from bot.provider.models import GenerationMode, GenerationRequest

SILENT = "Silent"
WITH_SOUND = "With sound"
PRIVATE = "Private"
PUBLISHED = f"Publish in UlazAI's directory, {PUBLISH_DISCOUNT} credits less"

CHEAPEST_KIND = f"{min(DURATIONS_SECONDS)}-second silent"
"""The kind that low-balance limits still allow; before the word `videos`."""

NO_LIMIT_NAMES = {
    "window_credits": "Credits",
    "active_jobs": "Open videos",
    "max_price": "Cost of one video",
    "everything": "Everything",
}

ASPECT_RATIO_NAMES = dict(zip(ASPECT_RATIOS, ("16:9 wide", "9:16 tall", "1:1 square"), strict=True))


def duration(seconds: int) -> str:
    """Return the label of a duration: `5 seconds: 55 credits, 110 with sound`."""
    silent, sound = (
        list_price(GenerationRequest(GenerationMode.TEXT, "", seconds, sound=has_sound)) for has_sound in (False, True)
    )
    return f"{seconds} seconds: {silent} credits, {sound} with sound"
