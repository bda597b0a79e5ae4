from .commands import test, train

__all__ = ['test', 'train']
