"""How fast a config trains, infers and prepares its clips, and where the time goes."""

from .benchmark import benchmark
from .sweep import QUANTITIES, changed
from .workloads import Script, Setting

__all__ = ['QUANTITIES', 'Script', 'Setting', 'benchmark', 'changed']
