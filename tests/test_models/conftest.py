import pytest
from mmengine.registry import DefaultScope, init_default_scope


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Recognizers that are built outside a Runner need MMAction2's scope."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmaction')
