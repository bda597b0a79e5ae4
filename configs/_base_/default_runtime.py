default_scope = 'mmaction'
custom_imports = dict(imports=['fdmae_mm'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='LateRemovalCheckpointHook', interval=5, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    non_finite_loss=dict(type='NonFiniteLossHook'),
    loaded_weights=dict(type='LoadedWeightsHook'),
    num_classes=dict(type='NumClassesHook'),
    teacher_check=dict(type='TeacherCheckHook'),
    result_record=dict(type='ResultRecordHook'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)

# TensorBoard: add dict(type='TensorboardVisBackend').
visualizer = dict(type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')])

log_level = 'INFO'
load_from = None
resume = False
