"""Parts that the systems share: containers, drawn faces, image coding, checkpoints."""
