from .checks import check_counts
from .tokens import (
    Cells,
    cell_weight,
    frame_mask,
    gather_tokens,
    patchify,
    present_sequences,
    unpatchify,
    visible_index,
)
from .transformer import TransformerBlock, init_linear, position_table

__all__ = [
    'Cells',
    'TransformerBlock',
    'cell_weight',
    'check_counts',
    'frame_mask',
    'gather_tokens',
    'init_linear',
    'patchify',
    'position_table',
    'present_sequences',
    'unpatchify',
    'visible_index',
]
