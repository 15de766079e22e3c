"""Audits that ship with faceleak; ``audit.config`` finds them by name."""
