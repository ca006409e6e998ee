"""A wheel of the library, and environments with and without it."""

from pathlib import Path

import pytest

from harness.installation import REQUIREMENTS, Installation, build_wheel, make_installation


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the library."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with the requirements of the library, and without the library."""
    return make_installation(tmp_path_factory.mktemp("stock") / "env", *REQUIREMENTS)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    """An environment with the library and its requirements, and nothing else."""
    made = make_installation(tmp_path_factory.mktemp("installed") / "env", *REQUIREMENTS)
    made.install(wheel)
    return made
