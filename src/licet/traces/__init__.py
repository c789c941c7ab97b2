"""Traces read back: spans from files, pipes and Jaeger become tasks, calls and findings in a store, as they were on the live run."""

from licet.traces.importing import MADE, Import, imported, read_into
from licet.traces.sources import holds_spans, is_address, spans_from

__all__ = ["MADE", "Import", "holds_spans", "imported", "is_address", "read_into", "spans_from"]
