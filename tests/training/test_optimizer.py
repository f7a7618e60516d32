import torch
from torch import nn

from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.training.optimizer import Adam


def test_adam_is_that_of_pytorch() -> None:
    start = torch.randn(4, 3, generator=generator("p", 0))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer, reference = Adam([ours], Training(learning_rate=0.01)), torch.optim.Adam([theirs], lr=0.01)
    for step in range(20):
        gradient = torch.randn(4, 3, generator=generator("g", step))
        optimizer.gradients[0].copy_(gradient)
        optimizer.step()
        theirs.grad = gradient
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_parameters_stay_views_of_one_tensor_and_are_restored_in_place() -> None:
    parameters = [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.zeros(4))]
    optimizer = Adam(parameters, Training(learning_rate=0.5))
    kept = {name: value.clone() for name, value in optimizer.state().items()}
    for gradient in optimizer.gradients:
        gradient.fill_(1.0)
    optimizer.step()
    assert float(parameters[0].detach().max()) < 1
    optimizer.restore(kept)
    assert torch.equal(parameters[0], torch.ones(2, 3))
    assert torch.equal(parameters[1], torch.zeros(4))
