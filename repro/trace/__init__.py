"""Traces: the named tensors of a run, with digests and sketches."""

from repro.trace.sketch import SKETCH_PLACES, THIN_STEP, Sketch, sampled_places
from repro.trace.trace import Trace, TraceEntry, thin, trace_tensor

__all__ = ["SKETCH_PLACES", "THIN_STEP", "Sketch", "Trace", "TraceEntry", "sampled_places", "thin", "trace_tensor"]
