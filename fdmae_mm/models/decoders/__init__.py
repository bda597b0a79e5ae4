from .skeleton_decoder import CrossAttentionDecoder, SelfAttentionDecoder

__all__ = ['CrossAttentionDecoder', 'SelfAttentionDecoder']
