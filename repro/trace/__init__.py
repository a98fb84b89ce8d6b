"""Traces: the named tensors of a run, with digests and sketches."""

from repro.trace.sketch import SKETCH_PLACES, THIN_STEP, Sketch
from repro.trace.trace import Trace, TraceEntry, thin, trace_tensor

__all__ = ["SKETCH_PLACES", "THIN_STEP", "Sketch", "Trace", "TraceEntry", "thin", "trace_tensor"]
