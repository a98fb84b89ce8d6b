"""Recover what POSTER's ``model_best`` holds of a trained model: ``python -m pipelines.poster.recover_torch BEST OUT``.

OUT is a state dict under ``state_dict``, beside ``partial``, which says what it is. Without ``--rest`` it lacks
the batch-norm statistics, the frozen landmark network and whatever has no gradient, and nothing loads it as a model.
``--rest MODEL`` takes those from a whole checkpoint, best the same run's ``model.pth``: weights of one epoch with
statistics of another. That model answers what the lost one may have been like. It is never the claim's model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from pipelines.common.checkpoint_torch import read_checkpoint
from pipelines.poster.model_torch import PosterV2
from pipelines.poster.weights_torch import recovered_weights
from repro.errors import BadCheckpoint, ReproError


def recover(best: Path, out: Path, *, outputs: int = 7, rest: Path | None = None) -> str:
    """Write what is recoverable and return a sentence that says what it is.

    Args:
        best: a file that holds SAM's state alone.
        out: the file to write.
        outputs: of the model that was trained.
        rest: a whole checkpoint that gives what is missing.

    Raises:
        MissingFile, BadCheckpoint: a file is not there or not what it should be.
    """
    with torch.device("meta"):
        model = PosterV2(outputs)
    checkpoint = read_checkpoint(best)
    if checkpoint.optimizer is None:
        raise BadCheckpoint(
            f"{best}: holds a state dict; there is nothing to recover", next_step="evaluate it as it is"
        )
    state = recovered_weights(model, checkpoint.optimizer, best.name)
    total = len(model.state_dict())
    told = f"partial: {len(state)} of {total} tensors recovered from the optimiser's state in {best.name} (P-BEST)"
    if rest is not None:
        whole = read_checkpoint(rest).state
        state = {name: state.get(name, value) for name, value in whole.items()}
        told += f", the rest from {rest.name}: a diagnostic, not the published model"
    torch.save({"state_dict": state, "partial": told}, out)
    return told


def main() -> int:
    """Run the command; an expected error ends with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.poster.recover_torch", description=__doc__)
    parser.add_argument("best", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--outputs", type=int, default=7, help="of the model that was trained (7 or 8; 3)")
    parser.add_argument("--rest", type=Path, default=None, help="a whole checkpoint that gives what is missing")
    asked = parser.parse_args()
    try:
        print(recover(asked.best, asked.out, outputs=asked.outputs, rest=asked.rest))
    except ReproError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
