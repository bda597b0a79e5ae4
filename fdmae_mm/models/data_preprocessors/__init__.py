from .stacked import StackedDataPreprocessor

__all__ = ['StackedDataPreprocessor']
