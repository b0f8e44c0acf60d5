"""How much of everything a run takes: `laptop`, `cpu` and `handout`."""

from dataclasses import dataclass, replace

from torch import nn

from assignment.provided.datasets import LAPTOP_BUDGET, Budget
from assignment.provided.models import Encoder, SmallEncoder


@dataclass(frozen=True)
class Preset:
    """Data, networks and budgets of one run of the whole exercise."""

    name: str
    told: str  # one line, which the command prints first
    data: str  # what `load` takes: normal images
    anomalies: str  # the same, for the anomalies of A1-A3
    width: int | None  # of SmallEncoder; None stands for the handout's ResNet-18
    budget: Budget
    manifold_images: int  # Q7: Laplacian eigenmaps of so many training images
    components: int  # Q7: dimension of the codes
    graph_neighbors: int  # Q7
    latent_images: int  # LO: free codes for so many training images
    latent_dim: int
    latent_steps: int

    def encoder(self) -> nn.Module:
        """A new encoder with random weights, images (N, 3, 32, 32) to representations (N, 128)."""
        return Encoder() if self.width is None else SmallEncoder(self.width)

    def encoder_name(self) -> str:
        return "ResNet-18" if self.width is None else f"SmallEncoder({self.width})"

    def resized(self, **changes: int | None) -> "Preset":
        """The preset with another budget; None leaves a value as it is."""
        wanted = {name: value for name, value in changes.items() if value is not None}
        return replace(self, budget=replace(self.budget, **wanted))


LAPTOP = Preset(
    name="laptop",
    told="generated images, small encoder: about 3 minutes on two cores, nothing to download",
    **{"data": "shapes", "anomalies": "digits", "width": 8, "budget": LAPTOP_BUDGET},
    **{"manifold_images": 2048, "components": 64, "graph_neighbors": 10},
    **{"latent_images": 2048, "latent_dim": 16, "latent_steps": 200},
)
CPU = Preset(
    name="cpu",
    told="a part of CIFAR-10, small encoder: at most 30 minutes on two cores",
    **{"data": "cifar10", "anomalies": "mnist", "width": 16},
    budget=Budget(n_train=10_000, n_test=2_000, epochs=40, batch_size=256, lr=1e-3),
    **{"manifold_images": 10_000, "components": 128, "graph_neighbors": 10},
    **{"latent_images": 2048, "latent_dim": 16, "latent_steps": 200},
)
HANDOUT = Preset(
    name="handout",
    told="all of CIFAR-10, the exercise's encoder, 30 epochs: for a GPU",
    **{"data": "cifar10", "anomalies": "mnist", "width": None},
    budget=Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4),
    **{"manifold_images": 10_000, "components": 128, "graph_neighbors": 10},
    **{"latent_images": 10_000, "latent_dim": 16, "latent_steps": 200},
)
PRESETS = {preset.name: preset for preset in (LAPTOP, CPU, HANDOUT)}
