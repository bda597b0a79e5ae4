from mmaction.registry import HOOKS
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...files import naming


@HOOKS.register_module()
class LateRemovalCheckpointHook(CheckpointHook):
    """Removes what ``max_keep_ckpts`` leaves out when the new checkpoint is written.

    MMEngine removes it before: with ``max_keep_ckpts=1``, a job that is ended while it
    writes has no checkpoint left.

    Args:
        **kwargs: Those of MMEngine's ``CheckpointHook``.
    """

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        backend, outdated = self.file_backend, []
        self.file_backend = _Postponed(backend, outdated)
        try:
            with naming(backend.join_path(self.out_dir, '')):
                super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.file_backend = backend
        for path in outdated:
            backend.remove(path)


class _Postponed:
    """A file backend that notes what it shall remove."""

    def __init__(self, backend: object, outdated: list[str]) -> None:
        self._backend = backend
        self.remove = outdated.append

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)
