from repro.canonical.mode import canonical
