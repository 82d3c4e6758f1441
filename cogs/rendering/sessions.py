"""Creative sessions: answers to commands, the live card, and the pages of the summary."""

from collections.abc import Iterator

import discord

from bot.jobs.models import Job, JobState
from bot.pools.models import Session, SessionEnd
from bot.sessions.models import EndedSession, MemberShare, SessionStatus, Summary
from cogs.rendering.text import link, plain, relative, short, unmarked

DEFAULT_TITLE = "Creative session"
"""The title of a session that was started without one."""

_BAR_CELLS = 20
# Discord allows 4096 characters in a description, and 6000 in all embeds of a message.
_PAGE = 4000
_LONGEST_LINK = 1000
_CHOICE = 100

_CAUSES = {
    SessionEnd.COMMAND: "A moderator ended it",
    SessionEnd.TIME: "Its time is over",
    SessionEnd.BUDGET: "Its budget is used up",
    SessionEnd.FAILURE: "It could not be opened",
}
_NO_VIDEO = {
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.DENIED: "denied by a moderator",
    JobState.EXPIRED: "expired, as no moderator decided",
}
_UNCONFIRMED = "unconfirmed: a moderator decides whether it was charged"


def answer(session: Session) -> discord.Embed:
    """Return the answer to /session start, from which the thread is made."""
    embed = discord.Embed(
        title=plain(session.title),
        description=(
            f"<@{session.started_by}> started a creative session with **{session.budget} credits** from this server's "
            "pool. Use `/video` and `/animate` in the thread below: the session pays, and it doesn't count towards "
            "your own limits."
        ),
        colour=discord.Colour.blurple(),
    )
    embed.add_field(name="For", value=_who(session, role_is_gone=False))
    return embed.add_field(name="Time", value=_time(session))


def failed_answer(session: Session) -> discord.Embed:
    """Return the answer to /session start, edited because the session could not be opened."""
    return discord.Embed(
        title=plain(session.title),
        description=f"This session could not be opened; its {session.budget} credits are back in the pool.",
        colour=discord.Colour.red(),
    )


def pin_hint() -> str:
    """Return the hint to a moderator that the bot can't pin the card."""
    return "I couldn't pin the session's card. Give me the permission **Pin Messages**, or pin it yourself."


def ended(result: EndedSession) -> discord.Embed:
    """Return the answer to /session end."""
    session, open_jobs = result.status.session, result.status.open_jobs
    place = f" in <#{session.thread_id}>" if session.thread_id else ""
    lines = [f"**{plain(session.title)}** is over. {_money_back(session)}"]
    if open_jobs:
        lines.append(
            f"{_count(open_jobs, 'video')} still generating, paid by this session. The summary follows{place}."
        )
    else:
        lines.append(f"The summary follows{place}.")
    if result.expired:
        lines.append(f"{_count(len(result.expired), 'request')} expired, as no moderator had decided.")
    return discord.Embed(description="\n".join(lines), colour=discord.Colour.blurple())


def choice(session: Session) -> str:
    """Return a session's name in autocompletion, at most 100 characters."""
    return f"{session.id}: {unmarked(session.title)}"[:_CHOICE]


def card(status: SessionStatus, *, role_is_gone: bool) -> discord.Embed:
    """Return the live card: what is spent, held and left, for whom, until when, and how many videos there are."""
    session = status.session
    is_over = session.ended_at is not None
    embed = discord.Embed(
        title=plain(session.title),
        description="\n".join(_state(status)),
        colour=discord.Colour.dark_grey() if is_over else discord.Colour.green(),
        timestamp=session.started_at,
    )
    embed.add_field(name="Spent", value=f"{session.spent} credits")
    embed.add_field(name="Held", value=f"{session.held} credits")
    if is_over:
        embed.add_field(name="Back in the pool", value=f"{max(0, session.returned)} credits")
    else:
        embed.add_field(name="Left", value=f"{session.available} credits")
    embed.add_field(name="For", value=_who(session, role_is_gone=role_is_gone))
    embed.add_field(name="Time", value=_time(session))
    embed.add_field(name="Videos", value=_videos(status))
    return embed.set_footer(text=card_mark(session))


def card_mark(session: Session) -> str:
    """Return a card's footer, by which the bot finds it again."""
    return f"Session {session.id}"


def bar(session: Session) -> str:
    """Return a budget as a bar of what is spent, held and left."""
    total = max(session.budget, session.spent + session.held + session.available, 1)
    spent = round(_BAR_CELLS * session.spent / total)
    used = round(_BAR_CELLS * (session.spent + session.held) / total)
    return f"`{'█' * spent}{'▒' * (used - spent)}{'░' * (_BAR_CELLS - used)}` of {session.budget} credits"


def pages(summary: Summary) -> list[discord.Embed]:
    """Return a session's results as embeds, each for a message of its own."""
    texts = list(_filled(_lines(summary)))
    title = f"{summary.session.title}: results"
    return [
        discord.Embed(
            title=plain(title if number == 1 else f"{title}, continued"),
            description=text,
            colour=discord.Colour.blurple(),
        ).set_footer(text=f"{page_mark(summary.session, number)}{len(texts)}")
        for number, text in enumerate(texts, 1)
    ]


def page_mark(session: Session, number: int) -> str:
    """Return how a page's footer begins, by which the bot finds it again."""
    return f"Session {session.id}, page {number} of "


def _state(status: SessionStatus) -> Iterator[str]:
    session = status.session
    yield bar(session)
    if session.end_cause is None:
        yield "█ spent ▒ held ░ left. Use `/video` and `/animate` here."
        return
    yield f"**{_CAUSES[session.end_cause]}.** {_money_back(session)}"
    if not status.is_settled:
        yield "It still pays for the videos that are generating. The summary follows after the last one."


def _money_back(session: Session) -> str:
    if session.returned < 0:
        return f"UlazAI charged more than its budget; the pool paid the other {-session.returned} credits."
    return f"{session.returned} of {session.budget} credits went back to the pool."


def _who(session: Session, *, role_is_gone: bool) -> str:
    if session.role_id is None:
        return "Everyone"
    if role_is_gone:
        return "Nobody: its role was deleted. A moderator can use `/session end`."
    return f"<@&{session.role_id}>"


def _time(session: Session) -> str:
    if session.ended_at is not None:
        return f"Ended {relative(session.ended_at)}"
    return f"Ends {relative(session.ends_at)}" if session.ends_at else "Until a moderator ends it"


def _videos(status: SessionStatus) -> str:
    return f"{status.ready} ready" + (f", {status.open_jobs} generating" if status.open_jobs else "")


def _lines(summary: Summary) -> Iterator[str]:
    session = summary.session
    cause = f"{_CAUSES[session.end_cause]}. " if session.end_cause else ""
    yield f"{cause}{_count(summary.videos, 'video')} for **{session.spent} credits**. {_money_back(session)}"
    if session.held:
        yield f"{session.held} credits stay held for unconfirmed videos."
    if not summary.jobs:
        yield "Nobody made a video."
        return
    yield "\n**By member**"
    yield from map(_share, summary.shares())
    yield "\n**Videos**"
    yield from map(_video, summary.jobs)


def _share(share: MemberShare) -> str:
    return f"<@{share.member_id}>: {_count(share.videos, 'video')}, {_count(share.credits, 'credit')}"


def _video(job: Job) -> str:
    line = f"#{job.id} {_result(job)} · <@{job.requester.member_id}>"
    # Only its member and moderators see a prompt that was not approved.
    return line if job.state in (JobState.DENIED, JobState.EXPIRED) else f"{line} · {short(job.request.prompt)}"


def _result(job: Job) -> str:
    if job.state is JobState.SUCCEEDED:
        return " · ".join((*_links(job), f"{job.net_credits} credits"))
    return f"{_NO_VIDEO.get(job.state, _UNCONFIRMED)} · {job.net_credits} credits"


def _links(job: Job) -> Iterator[str]:
    if job.video_url and len(job.video_url) <= _LONGEST_LINK:
        yield link(job.video_url, "video")
    if job.result_channel_id and job.result_message_id:
        ids = (job.requester.guild_id, job.result_channel_id, job.result_message_id)
        yield f"[post](https://discord.com/channels/{'/'.join(map(str, ids))})"


def _filled(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines, joined into texts that fit in an embed."""
    text = ""
    for line in lines:
        if text and len(text) + 1 + len(line) > _PAGE:
            yield text
            text = ""
        text = f"{text}\n{line}" if text else line.lstrip("\n")
    yield text


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
