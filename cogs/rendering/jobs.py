"""Values to text and embeds. What members wrote is shown and never acted on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import discord

from bot.jobs.models import UNPAID_STATES, Job, JobState, MemberUsage
from bot.jobs.polling import progress_now
from bot.jobs.ports import JobStatus
from bot.pools.rules.limits import has_window, room_at
from bot.provider.models import GenerationMode, GenerationRequest
from cogs.rendering.failures import failure, own_words, wait_reason
from cogs.rendering.text import cut, fit, link, quoted, relative, short, unmarked

_PROMPT_ON_CARD = 1200
_THREAD_NAME = 90
NEUTRAL_THREAD_NAME = "Video"
"""The name of a thread whose prompt can't be its name."""

_BAR_STEPS = 16

_COLOURS = {
    JobState.AWAITING_APPROVAL: discord.Colour.gold(),
    JobState.SUCCEEDED: discord.Colour.green(),
    JobState.FAILED: discord.Colour.red(),
    JobState.CANCELLED: discord.Colour.light_grey(),
    JobState.DENIED: discord.Colour.red(),
    JobState.EXPIRED: discord.Colour.light_grey(),
    JobState.UNCONFIRMED: discord.Colour.orange(),
}
_WORDS = {
    JobState.AWAITING_APPROVAL: "Waiting for a moderator",
    JobState.QUEUED: "Waiting to be sent",
    JobState.SUBMITTING: "Sending to UlazAI",
    JobState.PROCESSING: "In the making",
    JobState.SUCCEEDED: "Ready",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
    JobState.DENIED: "Denied",
    JobState.EXPIRED: "Expired",
    JobState.UNCONFIRMED: "Unconfirmed",
}


def card(status: JobStatus, now: float, credits_left: int | None) -> discord.Embed:
    """The status card: who, what, settings, credits, what is left, and how far it is.

    Args:
        status: of its job.
        now: by the monotonic clock.
        credits_left: what its member may still spend; None: not shown.
    """
    job, request = status.job, status.job.request
    title = "Video from a picture" if request.mode is GenerationMode.IMAGE else "Video from text"
    embed = discord.Embed(
        title=title,
        description=quoted(request.prompt, _PROMPT_ON_CARD),
        colour=_COLOURS.get(job.state, discord.Colour.blurple()),
        timestamp=job.created_at,
    )
    embed.add_field(name="For", value=f"<@{job.requester.member_id}>")
    embed.add_field(name="Credits", value=_credits_on_card(job))
    # What was left then is no more true once the credits came back.
    if credits_left is not None and job.state not in UNPAID_STATES:
        purse = "Left in this session" if job.session_id else "Left for you"
        embed.add_field(name=purse, value=f"{credits_left} credits")
    embed.add_field(name="Settings", value=settings(request), inline=False)
    embed.add_field(name="State", value=state_line(status, now), inline=False)
    if request.image_url:
        embed.set_thumbnail(url=request.image_url)
    return embed.set_footer(text=f"Job {job.id}")


def settings(request: GenerationRequest) -> str:
    """What was chosen, in a few words."""
    parts = [f"{request.duration_seconds} s"]
    if request.aspect_ratio:
        parts.append(request.aspect_ratio)
    parts.append("with sound" if request.sound else "silent")
    parts.append("published in UlazAI's directory" if request.publish else "private")
    return " · ".join(parts)


def _credits_on_card(job: Job) -> str:
    if job.state in (JobState.CANCELLED, JobState.DENIED, JobState.EXPIRED):
        return "none"
    if job.state is JobState.FAILED:
        return f"{job.net_credits} used"
    if job.charged_credits is not None:
        return f"{job.charged_credits} used"
    return f"{job.held_credits} (estimate)"


def state_line(status: JobStatus, now: float) -> str:
    """How far a job is, with a bar while it is being made."""
    job = status.job
    word = f"**{_WORDS[job.state]}**"
    if job.state is JobState.PROCESSING and status.poll_state:
        return f"{bar(progress_now(status.poll_state, now))}\n{word}"
    if job.state is JobState.SUCCEEDED and job.thread_id and not job.requester.in_thread:
        return f"{word} in <#{job.thread_id}>"
    return ": ".join(filter(None, (word, _explanation(status))))


def _explanation(status: JobStatus) -> str:
    """Why a job is where it is, and what that means; empty where the state says it all."""
    job = status.job
    match job.state:
        case JobState.AWAITING_APPROVAL:
            until = f"it expires {relative(status.expires_at)}. " if status.expires_at else ""
            return f"{until}`/cancel` takes it back."
        case JobState.QUEUED if status.waiting:
            return f"{', '.join((wait_reason(status.waiting), *_turn(status)))}. `/cancel` takes it back."
        case JobState.FAILED:
            return f"{failure(job.failure)} {_money_back(job)}"
        case JobState.UNCONFIRMED:
            return "your credits stay held until a moderator has decided."
        case JobState.DENIED | JobState.EXPIRED | JobState.CANCELLED:
            return (failure if job.state is JobState.EXPIRED else own_words)(job.failure)
        case _:
            return ""


def _turn(status: JobStatus) -> Iterator[str]:
    if status.place:
        yield f"{_ordinal(status.place)} in line"
    if status.expected_at:
        yield f"should start {relative(status.expected_at)}"
    if status.retry_at:
        yield f"next try {relative(status.retry_at)}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def bar(fraction: float) -> str:
    """A progress bar in whole steps, so that it only changes when there is something to see."""
    filled = round(fraction * _BAR_STEPS)
    return f"`{'█' * filled}{'░' * (_BAR_STEPS - filled)}` {round(filled * 100 / _BAR_STEPS)} %"


def outcome(job: Job, overview: MemberUsage, *, attached: bool, hint: str = "") -> str:
    """The message that tells how a job ended; it mentions the requester.

    Args:
        job: a job with an outcome.
        overview: of its member, for what is left.
        attached: the video is in the message, so its link needs no preview of its own.
        hint: what the account's balance suggests about an unconfirmed job.
    """
    who = f"<@{job.requester.member_id}>"
    lines = [f"{who} {_outcome_text(job, overview, attached=attached)}", hint, job_mark(job)]
    return "\n".join(filter(None, lines))


def job_mark(job: Job) -> str:
    """A line of an outcome by which the bot knows its own message again: no two outcomes have the same."""
    return f"-# Job {job.id}, <t:{int((job.finished_at or job.created_at).timestamp())}:f>"


def _outcome_text(job: Job, overview: MemberUsage, *, attached: bool) -> str:
    left = left_line(overview)
    if job.state is JobState.SUCCEEDED:
        address = link(job.video_url or "")
        shown = f"<{address}>" if attached else address
        return f"your video is ready: {shown}\nCredits used: **{job.credits}**. {left}"
    if job.state is JobState.UNCONFIRMED:
        return f"{failure(job.failure)} {_held_back(job)}"
    if job.state is JobState.DENIED:
        return f"a moderator denied this video{_because(job)}\n{_money_back(job)} {left}"
    if job.state is JobState.CANCELLED:
        return f"a moderator cancelled #{job.id}{_because(job)}\n{_money_back(job)} {left}"
    return f"there is no video: {failure(job.failure)} {_money_back(job)} {left}"


def _because(job: Job) -> str:
    reason = own_words(job.failure)
    return f": {reason}" if reason else "."


def _held_back(job: Job) -> str:
    if job.charged_credits is not None:
        return f"UlazAI took {job.charged_credits} credits for it; a moderator decides below what becomes of them."
    return f"It may have been paid, so its {job.held_credits} credits stay held until a moderator decides below."


def _money_back(job: Job) -> str:
    if job.net_credits:
        return f"UlazAI kept its price of {job.net_credits} credits."
    return f"Your {job.credits} credits came back."


def left_line(overview: MemberUsage) -> str:
    """What the member may still spend."""
    if overview.session:
        return f"This session has {overview.session.available} of {overview.session.budget} credits left."
    if overview.credits_left is None:
        return "Your credits are not limited."
    limits = overview.limits
    return f"You have {overview.credits_left} of {limits.window_credits} credits left in {limits.window_hours:g} hours."


def usage(overview: MemberUsage) -> discord.Embed:
    """The answer to /usage."""
    limits = overview.limits
    embed = discord.Embed(title="Your use of this server's credits", colour=discord.Colour.blurple())
    count = len(overview.usage.open_jobs)
    of_all = f" of {limits.active_jobs}" if limits.active_jobs else ", not limited"
    jobs = fit(map(_open_job_line, overview.open_jobs), 1024)
    embed.add_field(name=f"In the making: {count}{of_all}", value=jobs or "Nothing. Try `/video`.", inline=False)
    embed.add_field(name="Credits", value=_window_lines(overview), inline=False)
    return embed


def _open_job_line(job: Job) -> str:
    place = f" <#{job.thread_id}>" if job.thread_id else ""
    payer = " of a session's" if job.session_id else ""
    return f"**{_WORDS[job.state]}** · {short(job.request.prompt)} · {job.credits} credits{payer}{place}"


def _window_lines(overview: MemberUsage) -> str:
    limits, used = overview.limits, overview.usage
    if not has_window(limits):
        return "Your credits are not limited."
    lines = [f"**{used.credits} of {limits.window_credits}** used in the last {limits.window_hours:g} hours."]
    if used.spends:
        first = room_at(limits, used, (overview.credits_left or 0) + 1)
        everything = room_at(limits, used, limits.window_credits)
        if first:
            lines.append(f"The first come back {relative(first)}.")
        if everything:
            lines.append(f"All of them are back {relative(everything)}.")
    return "\n".join(lines)


def history(jobs: Iterable[Job]) -> discord.Embed:
    """The answer to /history."""
    lines = fit(map(_history_line, jobs), 4096)
    return discord.Embed(
        title="Your last videos here",
        description=lines or "None yet. Try `/video`.",
        colour=discord.Colour.blurple(),
    )


def _history_line(job: Job) -> str:
    parts = [f"<t:{int(job.created_at.timestamp())}:R>", short(job.request.prompt)]
    if job.state is JobState.SUCCEEDED:
        parts.append(f"{link(job.video_url or '', 'video')} · {job.credits} credits")
    elif job.state is JobState.FAILED:
        parts.append(f"failed · {job.net_credits} credits")
    else:
        parts.append(_WORDS[job.state].lower())
    if job.thread_id:
        parts.append(f"<#{job.thread_id}>")
    return " · ".join(parts)


def video_again(job: Job) -> discord.Embed:
    """What a video is that is given once more."""
    embed = discord.Embed(
        description=quoted(job.request.prompt, _PROMPT_ON_CARD),
        colour=discord.Colour.green(),
        timestamp=job.created_at,
    )
    return embed.set_footer(text=f"Job {job.id}")


def link_again(job: Job) -> str:
    """The link of a video of which there is no file to give."""
    address = link(job.video_url or "")
    return f"{address}\nI have no file of it to give you: this is UlazAI's own link, which may have expired."


def kept(jobs: Sequence[Job]) -> str:
    """The note about outcomes that could not be posted anywhere."""
    lines = fit([f"- {short(job.request.prompt)}: {_WORDS[job.state].lower()}" for job in jobs], 1600)
    return f"I could not post what became of these, for want of a place that takes it; `/history` has it:\n{lines}"


def thread_name(request: GenerationRequest, guild: discord.Guild | None, members: Mapping[int, str]) -> str:
    """A thread's name from the prompt: one line, 1 to 100 characters, as Discord wants it.

    Args:
        request: what the thread is for.
        guild: its server, for the names of roles and channels that are mentioned.
        members: names by id, of those who are known.
    """
    return cut(unmarked(request.prompt, guild, members), _THREAD_NAME) or NEUTRAL_THREAD_NAME


def choice(job: Job) -> str:
    """A job in a list of choices, whose names have at most 100 characters."""
    return cut(f"{job.id}: {unmarked(job.request.prompt)}", 100)
