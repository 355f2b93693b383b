import numpy as np
import pytest

from engine.runtime.onnx import Network
from engine.speakers.campplus_onnx import campplus_onnx


def test_voiceprints_are_those_of_funasr_s_own_network() -> None:
    import torch  # noqa: PLC0415 - a second that other tests need not wait for
    from funasr.models.campplus.model import CAMPPlus  # noqa: PLC0415 - as above

    torch.manual_seed(0)
    theirs = CAMPPlus().eval()
    for name, statistic in theirs.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            statistic.uniform_(0.5, 2)
    features = torch.randn(2, 60, 80)
    with torch.no_grad():
        expected = theirs(features).numpy()
    weights = {name: weight.numpy() for name, weight in theirs.state_dict().items()}
    ours = Network(campplus_onnx(weights), is_fused=False)
    [found] = ours.run("voiceprint", features=features.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_missing_weights_are_noticed() -> None:
    with pytest.raises(KeyError):
        campplus_onnx({"head.conv1.weight": np.zeros((32, 1, 3, 3), np.float32)})
