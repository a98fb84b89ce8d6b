"""Training anew, to the bit: the loop that knows no framework, and one backend for each framework.

``task.py`` says what a training is, ``batches.py`` gives its batches, ``loop.py`` runs it, ``backend_torch.py`` and
``backend_tensorflow.py`` compute. The stage :mod:`repro.stages.retrain` starts it in the framework's stack.
"""
