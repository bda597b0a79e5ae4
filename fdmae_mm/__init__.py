"""Frequency decoupled masked auto-encoders for skeletons, on MMAction2.

Importing the package registers everything in MMAction2's registries; a config
asks for it by ``custom_imports = dict(imports=['fdmae_mm'])``.
"""

from . import compat

# Before anything that imports mmaction.models, which fails on a released stack.
compat.apply()

from . import datasets, engine, evaluation, models, weights  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = [
    '__version__',
    'compat',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'weights',
]
