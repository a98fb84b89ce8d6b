from repro.canonical.mode import canonical
VERSION = "canonical-1"
