"""What belongs where: sentences and Discord's markup are made in `cogs/` alone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_MARKUP = re.compile(r"<[@#]|<t:|</\w")


def test_no_markup_of_discords_is_made_below_the_cogs() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py")}
    assert len(sources) > 50
    found = [path.relative_to(ROOT).as_posix() for path, source in sources.items() if _MARKUP.search(source)]
    assert found == []
