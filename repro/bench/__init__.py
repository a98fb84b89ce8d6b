"""Benchmarks: what something of ours costs as a ratio to a baseline that runs beside it.

A ratio holds on a busy machine and on another one, where a time does not. ``python -m repro.bench`` prints
the table. A new subject is a file with a generator ``benchmarks(folder)`` and its name in
:data:`repro.bench.run.SUBJECTS`.
"""
