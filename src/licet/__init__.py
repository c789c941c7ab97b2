"""Licet."""
