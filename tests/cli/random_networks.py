"""Random networks and shapes, the same for a seed everywhere: what right devices must pass."""
import math
import random

MOST_SIDE = 300
MOST_CHANNELS = 512
MOST_INPUTS = 10**6
MOST_FLOPS = 1e9  # of a sample, forward: a multiply-add counts as 2
MOST_BLOCKS = 4
KSIZES = (1, 2, 3, 3, 3, 4, 5, 7)


def _log_uniform(draw, least, most):
    return min(most, int(math.exp(draw.uniform(math.log(least), math.log(most + 1)))))


class Network:
    """A network of the notebook's family."""

    def __init__(self, xdim, ksize, cdims, hdims, ydim, dropout, batchnorm, batch):
        self.xdim, self.ksize, self.cdims, self.hdims, self.ydim = xdim, ksize, cdims, hdims, ydim
        self.dropout, self.batchnorm, self.batch = dropout, batchnorm, batch

    def walk(self):
        """Yields what each layer with weights has: (inputs of a sum, sums of a sample, weights). Raises
        ValueError where a plane has become too small for its pool."""
        channels, height, width = self.xdim
        for out in self.cdims:
            grown = 1 - self.ksize % 2
            height, width = height + grown, width + grown
            inputs = channels * self.ksize**2
            yield inputs, out * height * width, inputs * out
            channels, height, width = out, height // 2, width // 2
            if min(height, width) < 1:
                raise ValueError("nothing is left of the plane")
        inputs = channels * height * width
        for out in (*self.hdims, self.ydim):
            yield inputs, out, inputs * out
            inputs = out

    def flops(self):
        return sum(2 * inputs * sums for inputs, sums, _ in self.walk())

    def weights(self):
        return sum(weights for _, _, weights in self.walk())

    def widest(self):
        """The most weights of a convolution."""
        return max((weights for _, _, weights in list(self.walk())[:len(self.cdims)]), default=0)

    def longest(self):
        """The inputs of the first linear layer."""
        return list(self.walk())[len(self.cdims)][0]

    def arguments(self):
        def listed(values):
            return ",".join(map(str, values)) or "none"
        return ["--xdim", listed(self.xdim), "--ksize", str(self.ksize), "--cdims", listed(self.cdims), "--hdims",
                listed(self.hdims), "--ydim", str(self.ydim), "--dropout", f"{self.dropout:g}",
                *(["--batchnorm"] if self.batchnorm else [])]

    def is_large(self):
        """May the check before training leave a part of it out?"""
        return self.flops() > 1e8

    def has_pieces(self):
        return not (self.batchnorm and self.cdims)


def draw_network(seed, flops=MOST_FLOPS, blocks=(0, MOST_BLOCKS), weights=4e6, batch_values=8e6):
    """One of at most so many operations of a sample, convolutions, weights, and inputs of a batch of the first
    linear layer."""
    draw = random.Random(seed)
    while True:
        square = draw.random() < 0.5
        height = _log_uniform(draw, 1, MOST_SIDE)
        width = height if square else _log_uniform(draw, 1, MOST_SIDE)
        network = Network(
            (draw.choice((1, 3, _log_uniform(draw, 1, MOST_CHANNELS))), height, width), draw.choice(KSIZES),
            [_log_uniform(draw, 1, MOST_CHANNELS) for _ in range(draw.randint(*blocks))],
            [_log_uniform(draw, 1, MOST_CHANNELS) for _ in range(draw.randint(0, 2))],
            draw.choice((2, 10, _log_uniform(draw, 2, 256))), draw.choice((0, 0.25, 0.5)), draw.random() < 0.5,
            draw.choice((1, 4, 32, 100, 256)))
        try:
            fits = network.flops() <= flops and network.weights() <= weights and network.longest() <= MOST_INPUTS
        except ValueError:
            continue
        if fits:
            network.batch = max(1, min(network.batch, int(batch_values / network.longest())))
            return network
