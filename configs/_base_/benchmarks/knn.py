"""k-NN on frozen features, one neighbour by cosine. Nothing is trained."""

_base_ = './encoder.py'

protocol = 'knn'
model = dict(
    cls_head=dict(type='KNNHead', k=1),
)
# One neighbour has one class; of the others all scores are 0.
test_evaluator = dict(topk=(1,))
