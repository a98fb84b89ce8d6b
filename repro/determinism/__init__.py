"""Seeds and switches, one file per framework, and the guard of one framework per process."""
