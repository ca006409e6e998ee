"""Embedded servers, and the folders for them."""

from harness.guarded import guarded
from harness.state import data_that_was_used, empty_state_dir, state_dir, state_role

__all__ = ["data_that_was_used", "empty_state_dir", "guarded", "state_dir", "state_role"]
