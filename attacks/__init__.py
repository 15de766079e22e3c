"""Attacks on face templates: arrays in, arrays out."""

# First, because it makes torchvision importable beside the CPU build of torch.
import biometrics  # noqa: F401
