"""Traces: the named tensors of a run, with digests and sketches."""

from repro.trace.sketch import SKETCH_PLACES, Sketch
from repro.trace.trace import Trace, TraceEntry, trace_tensor

__all__ = ["SKETCH_PLACES", "Sketch", "Trace", "TraceEntry", "trace_tensor"]
