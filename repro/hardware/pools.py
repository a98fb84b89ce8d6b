"""The native libraries with threads of their own that are loaded in this process."""

from __future__ import annotations

from threadpoolctl import threadpool_info

from repro.schema import ThreadPool


def read_pools() -> tuple[ThreadPool, ...]:
    """Return BLAS and OpenMP libraries in a fixed order. Their paths, which name users, are left out."""
    pools = [
        ThreadPool(
            user_api=entry["user_api"],
            internal_api=entry["internal_api"],
            version=entry["version"],
            architecture=entry.get("architecture"),
            threads=entry["num_threads"],
        )
        for entry in threadpool_info()
    ]
    return tuple(sorted(pools, key=lambda pool: pool.model_dump_json()))
