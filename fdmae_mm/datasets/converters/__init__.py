from .base import BadFileError, BaseConverter, LeftOut, convert, summarize
from .folder import FolderConverter, LabelledConverter
from .mmpose import MMPoseConverter
from .msr_action3d import MSRAction3DConverter
from .npz import NPZConverter
from .ntu import BaseNTUConverter, NTU60Converter, NTU120Converter
from .nw_ucla import NWUCLAConverter
from .openpose import OpenPoseConverter
from .persons import PersonsConverter
from .pku_mmd import BasePKUMMDConverter, PKUMMD1Converter, PKUMMD2Converter
from .sbu import SBUConverter
from .utd_mhad import UTDMHADConverter

# Formats by name. A format of one's own: CONVERTERS['mine'] = MyConverter.
CONVERTERS: dict[str, type[BaseConverter]] = {
    converter.format: converter
    for converter in (
        NWUCLAConverter,
        SBUConverter,
        UTDMHADConverter,
        MSRAction3DConverter,
        NTU60Converter,
        NTU120Converter,
        PKUMMD1Converter,
        PKUMMD2Converter,
        NPZConverter,
        MMPoseConverter,
        OpenPoseConverter,
        FolderConverter,
    )
}

__all__ = [
    'CONVERTERS',
    'BadFileError',
    'BaseConverter',
    'BaseNTUConverter',
    'BasePKUMMDConverter',
    'FolderConverter',
    'LabelledConverter',
    'LeftOut',
    'MMPoseConverter',
    'MSRAction3DConverter',
    'NPZConverter',
    'NTU60Converter',
    'NTU120Converter',
    'NWUCLAConverter',
    'OpenPoseConverter',
    'PKUMMD1Converter',
    'PKUMMD2Converter',
    'PersonsConverter',
    'SBUConverter',
    'UTDMHADConverter',
    'convert',
    'summarize',
]
