"""Disguises of texts, and how each is undone."""
