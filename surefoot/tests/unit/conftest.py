"""Messages in these tests have the library's own names, whatever ran in the process before."""

from collections.abc import Iterator

import pytest

from surefoot.errors import names


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    before = names.in_use()
    names.use(names.Names())
    yield
    names.use(before)
