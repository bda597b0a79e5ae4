from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmengine.model.base_model.data_preprocessor import CastData

from fdmae_mm.datasets.collate import Stacks


@MODELS.register_module()
class StackedDataPreprocessor(ActionDataPreprocessor):
    """ActionDataPreprocessor that copies a batch to the device in few tensors.

    MMEngine copies each tensor of each clip on its own, and waits for each: the clip,
    its masks and its label, 512 copies for 128 clips of FDMAE. Here tensors of one name
    are stacked before, where they have one shape and type, which makes four of them.
    ``stacked_transfer`` has done so in the worker. A copy from pinned memory
    (``pin_memory=True`` of the data loader) lets the host go on.

    Arguments are those of ``ActionDataPreprocessor``.
    """

    def cast_data(self, data: CastData) -> CastData:
        """A batch on the device; on the CPU it is there already."""
        stacks = None if self.device.type == 'cpu' else Stacks.of(data)
        if stacks is None:
            return super().cast_data(data)
        self._non_blocking = all(tensor.is_pinned() for tensor in stacks.tensors)
        inputs, samples, values = stacks
        if any(sample.keys() for sample in samples):  # what could not be stacked
            samples = super().cast_data(samples)
        inputs, values = super().cast_data([inputs, values])
        return Stacks(inputs, samples, values).unstacked()
