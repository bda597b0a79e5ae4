from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmengine.model.base_model.data_preprocessor import CastData

from fdmae_mm.datasets.collate import packed, stack, unstacked


@MODELS.register_module()
class StackedDataPreprocessor(ActionDataPreprocessor):
    """ActionDataPreprocessor that copies a batch to the device in few tensors.

    MMEngine copies each tensor of each clip on its own, and waits for each: the clip,
    its masks and its label, 512 copies for 128 clips of FDMAE. Here tensors of one name
    are stacked before, where they have one shape and type, which makes four of them.
    Arguments are those of ``ActionDataPreprocessor``.
    """

    def cast_data(self, data: CastData) -> CastData:
        """A batch on the device; on the CPU it is there already."""
        if self.device.type == 'cpu' or not packed(data):
            return super().cast_data(data)
        return unstacked(*super().cast_data(stack(data)))
