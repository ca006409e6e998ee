"""Folders for embedded servers."""

from tests.support.state import data_that_was_used, empty_state_dir, state_dir

__all__ = ["data_that_was_used", "empty_state_dir", "state_dir"]
