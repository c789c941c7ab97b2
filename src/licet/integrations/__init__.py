"""Adapters for agent frameworks, built on `Guard.around` and nothing else; and both ends of a call to a tool's own service."""
