"""Embedded servers, and the folders for them."""

from tests.support.guarded import guarded
from tests.support.state import data_that_was_used, empty_state_dir, state_dir

__all__ = ["data_that_was_used", "empty_state_dir", "guarded", "state_dir"]
