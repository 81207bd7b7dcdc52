#!/usr/bin/env python3
"""PyTorch's side of scripts/bench.sh: the notebook's network and loop, timed on the CPU.

Options are pairs, --NAME VALUE, the same as those of tests/bench_step.c, and
  --layout nchw            the notebook's own loop, its data in memory
  --layout channels_last   the best that PyTorch does: channels_last, no needless waits or copies
  --threads N              threads of PyTorch
  --net FILE               the network of a text, as tests/bench_step --text writes it
  --epochs N               run the whole job on --data instead, with both evaluations per epoch
Prints one line of JSON: medians in milliseconds, the process's peak memory in MB (2^20).
"""
import argparse
import gzip
import json
import os
import resource
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn


def widths(text):
    return [] if text == "none" else [int(width) for width in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--xdim", type=widths, default=[1, 28, 28])
    parser.add_argument("--ksize", type=int, default=3)
    parser.add_argument("--cdims", type=widths, default=[32, 64])
    parser.add_argument("--hdims", type=widths, default=[32])
    parser.add_argument("--ydim", type=int, default=10)
    parser.add_argument("--batchnorm", choices=["true", "false"], default="false")
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--eval-images", type=int, default=10000)
    parser.add_argument("--net")
    parser.add_argument("--data")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=0)
    return parser.parse_args()


def make_graph(options):
    """A network of a text. Values go when nothing reads them any more, and ReLUs work in place."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
    from network_module import NetworkModule

    class Graph(NetworkModule):
        def prepare(self):
            self.last = {}
            for index, (_, _, inputs) in enumerate(self.nodes):
                self.last.update(dict.fromkeys(inputs, index))
            read = [value for _, _, inputs in self.nodes for value in inputs]
            for (_, kind, inputs), layer in zip(self.nodes, self.layers):
                if kind in ("ReLU", "ReLU6") and read.count(inputs[0]) == 1 and inputs[0] > 0:
                    layer.inplace = True

        def forward(self, x):
            values = {0: x}
            for index, (_, _, inputs) in enumerate(self.nodes):
                values[index + 1] = self.run(index, values)
                for value in set(inputs):
                    if self.last[value] == index:
                        del values[value]
            return values[len(self.nodes)].flatten(1)

    with open(options.net, encoding="utf-8") as file:
        graph = Graph(file.read())
    graph.prepare()
    options.xdim = list(graph.shape)
    options.ydim = graph(torch.zeros(2, *graph.shape)).shape[1]
    return graph


def make_network(options):
    """The notebook's layers in its order."""
    if options.net:
        return make_graph(options)
    layers = []
    channels, height, width = options.xdim
    for cdim in options.cdims:
        layers.append(nn.Conv2d(channels, cdim, options.ksize, padding=options.ksize // 2))
        if options.batchnorm == "true":
            layers.append(nn.BatchNorm2d(cdim))
        layers += [nn.ReLU(True), nn.MaxPool2d(2, 2), nn.Dropout2d(options.dropout)]
        grown = 1 if options.ksize % 2 == 0 else 0
        channels, height, width = cdim, (height + grown) // 2, (width + grown) // 2
    layers.append(nn.Flatten())
    features = channels * height * width
    for hdim in options.hdims:
        layers += [nn.Linear(features, hdim), nn.ReLU(True)]
        features = hdim
    layers.append(nn.Linear(features, options.ydim))
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def read_idx(directory, name):
    """The bytes of an IDX file in its shape."""
    path = os.path.join(directory, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
        content = file.read()
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


class Bench:
    def __init__(self, options):
        self.options = options
        self.best = options.layout == "channels_last"
        self.model = make_network(options)
        if self.best:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.loss = nn.CrossEntropyLoss()

    def split(self, name, count):
        """Images (N, C, H, W) in 0..1 and labels (N) of at most count images, 0 for all."""
        options = self.options
        if options.data:
            images = read_idx(options.data, name + "-images-idx3-ubyte")
            labels = read_idx(options.data, name + "-labels-idx1-ubyte")
            images, labels = images[: count or None], labels[: count or None]
        else:
            random = np.random.default_rng(1)
            images = random.integers(0, 256, [count] + options.xdim, np.uint8)
            labels = random.integers(0, options.ydim, count, np.uint8)
        x = torch.from_numpy(images.astype(np.float32) / 255).view(-1, *options.xdim)
        if self.best:
            x = x.contiguous(memory_format=torch.channels_last)
        return x, torch.from_numpy(labels.astype(np.int64))

    def train_epoch(self, x, y):
        """The mean loss of one pass over shuffled batches."""
        self.model.train()
        loss_sum = 0
        batches = torch.randperm(len(x)).split(self.options.batch)
        for batch in batches:
            loss = self.loss(self.model(x[batch]), y[batch])
            if self.best:
                self.optimizer.zero_grad(set_to_none=True)
            else:
                self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.detach() if self.best else loss
        return float(loss_sum) / len(batches)

    def evaluate(self, x, y):
        """The accuracy; the notebook reads the hits of every batch, the best setting once."""
        self.model.eval()
        hits = 0
        with torch.inference_mode() if self.best else torch.no_grad():
            for images, labels in zip(x.split(self.options.batch), y.split(self.options.batch)):
                found = (torch.max(self.model(images), 1)[1] == labels).sum()
                hits += found if self.best else found.item()
        return float(hits) / len(x)

    def median_ms(self, work, *arguments):
        """The first run warms up."""
        seconds = []
        for _ in range(self.options.repeats + 1):
            start = time.perf_counter()
            work(*arguments)
            seconds.append(time.perf_counter() - start)
        return 1e3 * statistics.median(seconds[1:])


def run_job(bench):
    x, y = bench.split("train", 0)
    test_x, test_y = bench.split("t10k", 0)
    accuracies = bench.evaluate(x, y), bench.evaluate(test_x, test_y)
    print("train_accr:[%.3f] test_accr:[%.3f]." % accuracies, file=sys.stderr)
    for epoch in range(bench.options.epochs):
        loss = bench.train_epoch(x, y)
        accuracies = bench.evaluate(x, y), bench.evaluate(test_x, test_y)
        line = (epoch, loss, *accuracies)
        print("epoch:[%d] loss:[%.3f] train_accr:[%.3f] test_accr:[%.3f]." % line, file=sys.stderr)
    return {"test_accuracy": accuracies[1]}


def run_steps(bench):
    options = bench.options
    x, y = bench.split("train", options.steps * options.batch)
    steps = -(-len(x) // options.batch)
    train_ms = bench.median_ms(bench.train_epoch, x, y) / steps
    x, y = bench.split("t10k", options.eval_images)
    eval_ms = bench.median_ms(bench.evaluate, x, y) * options.batch / len(x)
    return {"train_ms_per_step": round(train_ms, 4), "eval_ms_per_batch": round(eval_ms, 4)}


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    bench = Bench(options)
    result = run_job(bench) if options.epochs else run_steps(bench)
    result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["torch"] = torch.__version__
    print(json.dumps(result))


if __name__ == "__main__":
    main()
