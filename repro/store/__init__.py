"""Records, expectations and claims on disk; every write is atomic."""
