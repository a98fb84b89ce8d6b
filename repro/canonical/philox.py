import numpy as np
import torch


def words(seed, samples, each, *, ordinal, step):
    n = 1
    for s in each:
        n *= s
    rows = [
        np.random.Generator(np.random.Philox(key=[seed, int(s) * 1000003 + ordinal * 101 + step])).integers(0, 2**32, n)
        for s in samples
    ]
    return torch.from_numpy(np.array(rows, dtype=np.int64)).reshape(len(samples), *each)
