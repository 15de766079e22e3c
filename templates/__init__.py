"""Jinja2 pages and one stylesheet, read by ``reports`` as package data."""
