"""What there is and what was done."""
