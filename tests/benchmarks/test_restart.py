"""The benchmark of a restart runs, and finds every job again."""

from benchmarks.restart import run_restart, section


async def test_every_job_is_polled_and_none_is_submitted_again() -> None:
    restart = await run_restart(300, observed_seconds=3)

    assert 250 < restart.jobs < 350
    assert restart.overdue + len(restart.lateness) > 0
    assert restart.recovered_seconds <= restart.caught_up_seconds <= restart.posted_seconds
    assert restart.polls >= restart.overdue
    assert restart.submissions == 0
    assert restart.posted_twice == 0
    assert "| submissions repeated | 0 | 0 |" in section(restart)
