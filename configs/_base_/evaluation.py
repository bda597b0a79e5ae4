val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
