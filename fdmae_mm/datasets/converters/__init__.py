from .base import BadFileError, BaseConverter, convert, summarize
from .nw_ucla import NWUCLAConverter

# Formats by name. A format of one's own: CONVERTERS['mine'] = MyConverter.
CONVERTERS: dict[str, type[BaseConverter]] = {
    converter.format: converter for converter in (NWUCLAConverter,)
}

__all__ = [
    'CONVERTERS',
    'BadFileError',
    'BaseConverter',
    'NWUCLAConverter',
    'convert',
    'summarize',
]
