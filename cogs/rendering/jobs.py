"""Jobs, usage and history as texts and embeds. Members' texts are escaped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import discord

from bot.jobs.models import UNPAID_STATES, Job, JobState, MemberUsage
from bot.jobs.polling import progress_now
from bot.jobs.ports import JobStatus
from bot.pools.rules.limits import room_at
from bot.provider.models import GenerationMode, GenerationRequest
from cogs.rendering.failures import failure, own_words, wait_reason
from cogs.rendering.text import cut, ended, fit, link, quoted, relative, short, unmarked

_PROMPT_ON_CARD = 1200
_THREAD_NAME = 90
NEUTRAL_THREAD_NAME = "Video"
"""The name of a thread whose prompt can't be its name."""

_BAR_STEPS = 16
# A message has 2000 characters.
_LONGEST_LINK = 1600

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
    JobState.QUEUED: "Queued",
    JobState.SUBMITTING: "Starting",
    JobState.PROCESSING: "Generating",
    JobState.SUCCEEDED: "Ready",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
    JobState.DENIED: "Denied",
    JobState.EXPIRED: "Expired",
    JobState.UNCONFIRMED: "Unconfirmed",
}


def card(status: JobStatus, now: float, credits_left: int | None) -> discord.Embed:
    """Return the status card: requester, prompt, settings, credits, and state.

    Args:
        status: of its job.
        now: by the monotonic clock.
        credits_left: what the member may still spend; None: not shown.
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
    # No longer true once the credits came back.
    if credits_left is not None and job.state not in UNPAID_STATES:
        name = "Left in this session" if job.session_id else "Left for you"
        embed.add_field(name=name, value=f"{credits_left} credits")
    embed.add_field(name="Settings", value=settings(request), inline=False)
    embed.add_field(name="State", value=state_line(status, now), inline=False)
    if request.image_url:
        embed.set_thumbnail(url=request.image_url)
    return embed.set_footer(text=f"#{job.id}")


def settings(request: GenerationRequest) -> str:
    """Return the settings: duration, format, sound, visibility."""
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
    return f"{job.held_credits} held"


def state_line(status: JobStatus, now: float) -> str:
    """Return a job's state, with a progress bar while it is generating."""
    job = status.job
    word = f"**{_WORDS[job.state]}**"
    if job.state is JobState.PROCESSING and status.poll_state:
        return f"{bar(progress_now(status.poll_state, now))}\n{word}"
    if job.state is JobState.SUCCEEDED and job.awaits_delivery:
        return f"{bar(1.0)}\n**Posting**"
    if job.state is JobState.SUCCEEDED and job.thread_id and not job.requester.in_thread:
        return f"{word} in <#{job.thread_id}>"
    return ": ".join(filter(None, (word, _explanation(status))))


def _explanation(status: JobStatus) -> str:
    """Return what the state does not say: why, until when, and what to do; empty: nothing."""
    job = status.job
    match job.state:
        case JobState.AWAITING_APPROVAL:
            until = f"expires {relative(status.expires_at)}. " if status.expires_at else ""
            return f"{until}`/cancel` cancels it."
        case JobState.QUEUED if status.waiting:
            position = ", ".join(_position(status))
            parts = (f"{position}." if position else "", ended(wait_reason(status.waiting)), "`/cancel` cancels it.")
            return " ".join(filter(None, parts))
        case JobState.FAILED:
            return f"{failure(job.failure)} {_money_back(job)}"
        case JobState.UNCONFIRMED:
            return "your credits stay held until a moderator decides."
        case JobState.DENIED | JobState.EXPIRED | JobState.CANCELLED:
            return (failure if job.state is JobState.EXPIRED else own_words)(job.failure)
        case _:
            return ""


def _position(status: JobStatus) -> Iterator[str]:
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
    """Return a progress bar in whole steps, so that it changes only when that is visible."""
    filled = round(fraction * _BAR_STEPS)
    return f"`{'█' * filled}{'░' * (_BAR_STEPS - filled)}` {round(filled * 100 / _BAR_STEPS)} %"


def outcome(job: Job, overview: MemberUsage, *, attached: bool, hint: str = "") -> str:
    """Return the message with a job's outcome; it mentions the requester.

    Args:
        job: a job with an outcome.
        overview: of its member.
        attached: the video is attached, so its link needs no preview.
        hint: what the provider account's balance suggests about an unconfirmed job.
    """
    who = f"<@{job.requester.member_id}>"
    lines = [f"{who} {_outcome_text(job, overview, attached=attached)}", hint, job_mark(job)]
    return "\n".join(filter(None, lines))


def job_mark(job: Job) -> str:
    """Return the line of an outcome's post by which it is found again: unique to the job and its outcome."""
    return f"-# #{job.id}, {_finished(job)}"


def has_job_mark(content: str, job: Job) -> bool:
    """Return whether a post is the one of this job's outcome; also in the form of version 0.1.0."""
    return any(mark in content for mark in (job_mark(job), f"-# Job {job.id}, {_finished(job)}"))


def _finished(job: Job) -> str:
    # Rounded down as in 0.1.0, where `text.at` rounds up.
    return f"<t:{int((job.finished_at or job.created_at).timestamp())}:f>"


def _outcome_text(job: Job, overview: MemberUsage, *, attached: bool) -> str:
    left = left_line(overview)
    if job.state is JobState.SUCCEEDED:
        address = link(job.video_url or "")
        shown = f"<{address}>" if attached else address
        if len(address) > _LONGEST_LINK:
            shown = "it is attached" if attached else "`/history` has its link"
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
        return f"UlazAI charged {job.charged_credits} credits for it; a moderator decides below whether they come back."
    return f"It may have been charged, so {job.held_credits} credits stay held until a moderator decides below."


def _money_back(job: Job) -> str:
    if job.net_credits:
        return f"UlazAI gave no refund: {job.net_credits} credits are used."
    return f"Your {job.credits} credits came back."


def left_line(overview: MemberUsage) -> str:
    """Return what the member may still spend."""
    if overview.session:
        return f"This session has {overview.session.available} of {overview.session.budget} credits left."
    if overview.credits_left is None:
        return "Your credits are not limited."
    limits = overview.limits
    return f"You have {overview.credits_left} of {limits.credits} credits left (per {limits.window_hours:g} hours)."


def usage(overview: MemberUsage) -> discord.Embed:
    """Return the answer to `/usage`."""
    limits = overview.limits
    embed = discord.Embed(title="Your usage in this server", colour=discord.Colour.blurple())
    count = len(overview.usage.open_jobs)
    of_all = f" of {limits.active_jobs}" if limits.active_jobs is not None else ", not limited"
    jobs = fit(map(_open_job_line, overview.open_jobs), 1024)
    embed.add_field(name=f"Open videos: {count}{of_all}", value=jobs or "None. `/video` makes one.", inline=False)
    embed.add_field(name="Credits", value=_window_lines(overview), inline=False)
    return embed


def _open_job_line(job: Job) -> str:
    place = f" <#{job.thread_id}>" if job.thread_id else ""
    payer = ", from a session" if job.session_id else ""
    booked = "held" if job.charged_credits is None else "used"
    credits_text = f"{job.credits} credits {booked}{payer}"
    return f"#{job.id} **{_WORDS[job.state]}** · {short(job.request.prompt)} · {credits_text}{place}"


def _window_lines(overview: MemberUsage) -> str:
    limits, used = overview.limits, overview.usage
    if limits.credits is None:
        return "Your credits are not limited."
    lines = [f"**{used.credits} of {limits.credits}** used or held in the last {limits.window_hours:g} hours."]
    if used.spends:
        first = room_at(limits, used, (overview.credits_left or 0) + 1)
        everything = room_at(limits, used, limits.credits)
        if first:
            lines.append(f"The first come back {relative(first)}.")
        if everything:
            lines.append(f"All of them are back {relative(everything)}.")
    return "\n".join(lines)


def history(jobs: Iterable[Job]) -> discord.Embed:
    """Return the answer to `/history`."""
    lines = fit(map(_history_line, jobs), 4096)
    return discord.Embed(
        title="Your last videos here",
        description=lines or "None yet. `/video` makes one.",
        colour=discord.Colour.blurple(),
    )


def _history_line(job: Job) -> str:
    parts = [f"#{job.id} {relative(job.created_at)}", short(job.request.prompt)]
    if job.state is JobState.SUCCEEDED:
        parts.append(f"{link(job.video_url or '', 'video')} · {job.credits} credits")
    elif job.state is JobState.FAILED:
        parts.append(f"failed · {job.net_credits} credits")
    else:
        parts.append(_WORDS[job.state].lower())
    if job.thread_id:
        parts.append(f"<#{job.thread_id}>")
    return " · ".join(parts)


def cancelled(job: Job) -> discord.Embed:
    """Return the answer to `/cancel`."""
    text = f"#{job.id} is cancelled. Your {job.held_credits} credits came back."
    return discord.Embed(description=f"{text}\n{quoted(job.request.prompt, 200)}")


def video(job: Job) -> discord.Embed:
    """Return what `/history` shows of one finished video."""
    embed = discord.Embed(
        description=quoted(job.request.prompt, _PROMPT_ON_CARD),
        colour=discord.Colour.green(),
        timestamp=job.created_at,
    )
    return embed.set_footer(text=f"#{job.id}")


def video_link(job: Job, copy_bytes: int | None) -> str:
    """Return the link of a finished video that can't be attached.

    Args:
        job: with the video.
        copy_bytes: the size of the archive's copy, which is too large for this server; None: there is no copy.
    """
    why = "I have no copy of this video."
    if copy_bytes is not None:
        why = f"My copy of this video has {copy_bytes / 1024**2:.0f} MB, which is more than this server takes."
    return f"{link(job.video_url or '')}\n{why} The link is UlazAI's own and may have expired."


def undeliverable(jobs: Sequence[Job]) -> str:
    """Return the note about outcomes that could not be posted anywhere."""
    lines = fit([f"- #{job.id} {short(job.request.prompt)}: {_WORDS[job.state].lower()}" for job in jobs], 1600)
    return f"I couldn't post these results anywhere; `/history` has them:\n{lines}"


def approved(job: Job) -> str:
    """Return what the private card of an approved job says."""
    requester = job.requester
    address = f"https://discord.com/channels/{requester.guild_id}/{requester.channel_id}/{job.card_message_id}"
    return f"#{job.id} was approved: {address}"


def thread_name(request: GenerationRequest, guild: discord.Guild | None, members: Mapping[int, str]) -> str:
    """Return a thread's name from the prompt: one line of 1 to 100 characters, as Discord requires.

    Args:
        request: what the thread is for.
        guild: its server, for the names of roles and channels that are mentioned.
        members: names by id, of those who are known.
    """
    return cut(unmarked(request.prompt, guild, members), _THREAD_NAME) or NEUTRAL_THREAD_NAME


def choice(job: Job) -> str:
    """Return a job's name in autocompletion, at most 100 characters."""
    return cut(f"#{job.id}: {unmarked(job.request.prompt)}", 100)
