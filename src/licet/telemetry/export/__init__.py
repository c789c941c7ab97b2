"""The way out of the process: our own providers over OTLP, which count exactly what does not arrive and end in time.

`settings` reads the environment, `pipeline` is what the rest of Licet sees, `line` is one signal's way, `count` its gate and its figures,
`senders`, `http` and `quiet` are what stands between the SDK's exporters and the network.
"""

from licet.telemetry.export.pipeline import Pipeline, own_pipeline
from licet.telemetry.export.settings import SIGNALS, Signal

__all__ = ["SIGNALS", "Pipeline", "Signal", "own_pipeline"]
