"""The command line: `python -m tests.faults --count`."""

import click

from tests.faults.table import GROUPS, count


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--count", "only_count", is_flag=True, help="Print only how many rows there are.")
def main(only_count: bool) -> None:
    """List the fault table; `pytest tests/faults` plays it."""
    if only_count:
        click.echo(count())
        return
    for group, rows in GROUPS.items():
        for row in rows():
            click.echo(f"{group}\t{row}\t{', '.join(sorted(row.ends))}")


if __name__ == "__main__":
    main()
