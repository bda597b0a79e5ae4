from .skeleton_decoder import (
    BaseSkeletonDecoder,
    CrossAttentionDecoder,
    SelfAttentionDecoder,
)

__all__ = ['BaseSkeletonDecoder', 'CrossAttentionDecoder', 'SelfAttentionDecoder']
