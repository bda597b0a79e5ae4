from .ema_teacher_hook import EMATeacherHook, TeacherCheckHook
from .epoch_seed_hook import EpochSeedHook, torch_seeded_worker
from .feature_bank_hook import FeatureBankHook
from .late_removal_checkpoint_hook import LateRemovalCheckpointHook
from .loaded_weights_hook import LoadedWeightsHook
from .non_finite_loss_hook import NonFiniteLossHook
from .num_classes_hook import NumClassesHook
from .result_record_hook import ResultRecordHook

__all__ = [
    'EMATeacherHook',
    'EpochSeedHook',
    'FeatureBankHook',
    'LateRemovalCheckpointHook',
    'LoadedWeightsHook',
    'NonFiniteLossHook',
    'NumClassesHook',
    'ResultRecordHook',
    'TeacherCheckHook',
    'torch_seeded_worker',
]
