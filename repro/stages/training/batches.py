"""The batches of an epoch: which images, in which order, prepared by any number of workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np

from repro.registry import resolve
from repro.schema import Samples, Stage
from repro.stages.data import taken
from repro.stages.training.task import Batch, Training

_Made = TypeVar("_Made")


def epoch_batches(
    training: Training, stage: Stage, epoch: int, first: int, portion: Callable[[int], np.ndarray]
) -> Iterator[Batch]:
    """Yield this process's portions of an epoch's batches from number ``first`` on, prepared by the workers."""
    rows, labels = training.order(epoch)
    count = training.steps_of(stage)
    make = partial(_batch, training, stage, epoch, rows, labels, portion)
    yield from made_ahead((partial(make, number) for number in range(first, count)), training.workers)


def _batch(
    training: Training,
    stage: Stage,
    epoch: int,
    rows: np.ndarray,
    labels: np.ndarray,
    portion: Callable[[int], np.ndarray],
    number: int,
) -> Batch:
    whole = np.arange(len(rows))[number * stage.batch : (number + 1) * stage.batch]
    places = whole[portion(len(whole))]
    samples = Samples(rows[places], places, training.seed, len(rows), epoch)
    prepare = resolve(training.system.augment or training.system.prepare)
    if not len(places):  # other processes have them all; one is prepared for its shape
        samples = Samples(rows[whole[:1]], whole[:1], training.seed, len(rows), epoch)
    inputs = prepare(taken(training.images, samples.rows), training.settings(stage), samples)[: len(places)]
    return Batch(inputs, labels[places], rows[places], rows[whole])


def made_ahead(tasks: Iterator[Callable[[], _Made]], workers: int) -> Iterator[_Made]:
    """Yield what the tasks make, in their order, with so many threads at work in front; 0 for none.

    An error of a task is raised at its place. Leaving early ends the threads.
    """
    if workers == 0:
        for task in tasks:
            yield task()
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        ready: deque[Future[_Made]] = deque()
        try:
            for task in tasks:
                ready.append(pool.submit(task))
                if len(ready) > workers + 1:
                    yield ready.popleft().result()
            while ready:
                yield ready.popleft().result()
        finally:
            for future in ready:
                future.cancel()
