"""What this machine is, as far as it can change bits: probe, caps, and the classes that profiles are matched with."""
