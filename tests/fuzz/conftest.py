"""One bot for all examples of a module."""

from collections.abc import Iterator

import pytest

from tests.fuzz.portal import Portal, portal


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with portal(tmp_path_factory.mktemp("fuzz")) as ready:
        yield ready
