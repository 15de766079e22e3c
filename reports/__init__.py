"""Results of an audit and everything that is rendered from them.

Knows nothing of models: neither torch nor ``biometrics``, ``attacks`` or ``audit`` is imported
here, so a run folder is rendered again on any laptop.
"""
