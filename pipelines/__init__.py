"""The published systems, the stacks that they run in, and the DAG of their stages."""
