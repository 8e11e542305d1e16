"""Leave of absence: what was asked for, asking for it, and deciding on it."""
