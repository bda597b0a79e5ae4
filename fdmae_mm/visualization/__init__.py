from .animation import save_animation
from .attention import attention_map, attention_weights, plot_attention
from .clips import data_pose, eval_batches, train_clips
from .confusion import plot_confusion, read_confusion
from .curves import plot_bands, plot_curves, read_scalars
from .features import embed_features, plot_features
from .joints import joint_errors, plot_joint_errors, time_heads
from .masking import masked_share, plot_masking
from .reconstruction import draw_reconstruction
from .style import average_pose, save_figure
from .viewer import view

__all__ = [
    'attention_map',
    'attention_weights',
    'average_pose',
    'data_pose',
    'draw_reconstruction',
    'embed_features',
    'eval_batches',
    'joint_errors',
    'masked_share',
    'plot_attention',
    'plot_bands',
    'plot_confusion',
    'plot_curves',
    'plot_features',
    'plot_joint_errors',
    'plot_masking',
    'read_confusion',
    'read_scalars',
    'save_animation',
    'save_figure',
    'time_heads',
    'train_clips',
    'view',
]
