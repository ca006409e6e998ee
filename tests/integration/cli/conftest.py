"""Folders for embedded servers."""

from harness.state import data_that_was_used, empty_state_dir, state_dir

__all__ = ["data_that_was_used", "empty_state_dir", "state_dir"]
