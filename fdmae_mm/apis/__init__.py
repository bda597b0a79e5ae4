from .commands import probe, test, train

__all__ = ['probe', 'test', 'train']
