"""Random networks and shapes: a right device passes the doctor and the check before training, and what computes wrong
is found. NETWORKS of the environment (without it: 20 small ones) are drawn; slow_tests.sh has more."""
import os
import random
import shutil
import sys
import unittest

from faults import ELSEWHERE, FAULTS, acts
from random_networks import MOST_FLOPS, draw_network
from support import CommandTest, environment, kernels_with, write_idx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
import drivers  # noqa: E402  pylint: disable=wrong-import-position

MANY = int(os.environ.get("NETWORKS", "0"))
COUNT = MANY or 20
IMAGES = 4
LIMITED = "llvmpipe"  # a part of the tests runs there: tests/meson.build


def network_of(seed):
    """Few are small: compiling their kernels takes most of the time, and those that are not optimised are slow."""
    if MANY:
        return draw_network(seed)
    blocks = 2 if seed % 10 == 1 else 1 - seed % 2
    return draw_network(seed, flops=3e5, blocks=(blocks, blocks), weights=5e4)


def is_optimised(seed):
    """Kernels that are not optimised are built in a third of the time, and once for right and wrong devices. Of the
    few, one is built as its users have it: the first with two convolutions."""
    return bool(MANY) or seed == 1


def write_data(folder, network):
    """Random images, as few as a batch needs."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    draw = random.Random(1)
    shape = network.xdim if network.xdim[0] > 1 else network.xdim[1:]
    pixels = network.xdim[0] * network.xdim[1] * network.xdim[2]
    for prefix, count in ("train", IMAGES), ("t10k", 2):
        sizes = (count, *shape)
        write_idx(f"{folder}/{prefix}-images-idx{len(sizes)}-ubyte", sizes, draw.randbytes(count * pixels))
        write_idx(f"{folder}/{prefix}-labels-idx1-ubyte", (count,), bytes(i % network.ydim for i in range(count)))


class Networks(CommandTest):
    def find_drivers(self):
        more = [path for path in os.environ.get("CNN_TEST_DRIVERS", "").split(":") if path]
        build = os.path.join(os.path.dirname(os.environ["CNN_TEST_COMMAND"]), "..", "..")
        for driver in drivers.find(more):
            env = drivers.environment(driver, self.folder)
            try:
                usable = [device for device in drivers.devices(build, env)
                          if device["usable"] and LIMITED not in device["name"].lower()]
            except drivers.Broken:
                continue
            if usable:
                yield usable[0]["platform_name"], env

    def train(self, network, *options, env, code=0):
        """The check before training; the memory of earlier ones is elsewhere."""
        write_data(self.folder + "/random", network)
        return self.run_command("train", "-v", "--data", "random", "--out", "run", "--epochs", "0", "--batch",
                                str(IMAGES), *network.arguments(), *options, code=code, env=env).stderr

    def check_right(self, network, env):
        self.run_command("doctor", *network.arguments(), "--batch", str(network.batch), env=env)
        env = dict(env, CNN_CL_CACHE_DIR=os.path.join(self.folder, "cache"))
        shutil.rmtree(env["CNN_CL_CACHE_DIR"], ignore_errors=True)
        for options in ([], ["--no-fuse"]) if MANY else [["--no-fuse"] if network.cdims else []]:
            self.assertRegex(self.train(network, *options, env=env), r"\d+ checks of ")

    def check_wrong(self, name, network, env):
        file, old, new = FAULTS[name][:3]
        kernels = kernels_with(self.folder + "/kernels", file, old, new)
        env = dict(env, CNN_CL_KERNEL_DIR=kernels)
        text = self.run_command("doctor", *network.arguments(), "--batch", str(network.batch), code=1, env=env).stdout
        self.assertIn("COMPUTES WRONG", text)
        if MANY and name not in ELSEWHERE and not network.is_large():
            self.assertIn("computes wrong", self.train(network, "--no-fuse", env=env, code=1))

    def test_a_right_device_passes(self):
        for platform, env in self.find_drivers():
            for seed in range(COUNT):
                network = network_of(seed)
                flags = None if is_optimised(seed) else os.environ.get("POCL_EXTRA_BUILD_FLAGS")
                with self.subTest(" ".join(network.arguments()), seed=seed, platform=platform):
                    self.check_right(network, environment(**{**env, "POCL_EXTRA_BUILD_FLAGS": flags}))

    def test_a_wrong_one_does_not(self):
        """Each fault in a network where it acts; in turn in all of many."""
        names = sorted(FAULTS)
        for seed in range(COUNT if MANY else len(names)):
            name = names[seed % len(names)]
            network = next(one for one in map(network_of, range(seed, seed + 1000)) if acts(name, one))
            with self.subTest(name, seed=seed, network=" ".join(network.arguments())):
                self.check_wrong(name, network, environment())


if __name__ == "__main__":
    unittest.main()
