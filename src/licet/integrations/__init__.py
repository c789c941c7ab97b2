"""Adapters for agent frameworks: one small module each, built on `Guard.around` and nothing else."""
