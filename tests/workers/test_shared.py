import os
import sys

import pytest
import torch

from kdcli.workers.shared import pack, unpack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is shared on Linux alone")


def test_tensors_come_out_as_they_went_in_and_lie_as_they_lay() -> None:
    x = torch.arange(24, dtype=torch.float32).view(2, 3, 4)
    tensors = {
        "x": x,
        "turned": x.permute(2, 0, 1),
        "bytes": torch.tensor([1, 2, 255], dtype=torch.uint8),
        "none": torch.empty(0, 5),
        "one": torch.tensor(3.5).double(),
        "expanded": torch.tensor([[1], [2]]).expand(2, 3),
        "half": torch.tensor([0.5], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
    }
    handle = pack(tensors)
    found = unpack(handle)
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    assert found["turned"].stride() == tensors["turned"].stride()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_what_is_shared_is_read_alike_by_all_and_written_by_none() -> None:
    handle = pack({"x": torch.zeros(1000)})
    first, second = unpack(os.dup(handle)), unpack(handle)
    first["x"].fill_(1)
    assert float(second["x"].sum()) == 0
