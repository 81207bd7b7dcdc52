#!/usr/bin/env python3
"""ONNX Runtime's side of scripts/bench.sh: evaluation of an exported network on the CPU.

Prints one line of JSON, as bench_torch.py does.
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import onnxruntime


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--eval-images", type=int, default=10000)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_known_args()[0]


def main():
    options = parse()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [options.batch, *given.shape[1:]]
    x = np.random.default_rng(1).random(shape, np.float32)
    batches = -(-options.eval_images // options.batch)
    seconds = []
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        for _ in range(batches):
            session.run(None, {given.name: x})
        seconds.append(time.perf_counter() - start)
    eval_ms = 1e3 * statistics.median(seconds[1:]) / batches
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"eval_ms_per_batch": round(eval_ms, 4), "peak_rss_mb": round(peak, 1),
                      "torch": f"ONNX Runtime {onnxruntime.__version__}"}))


if __name__ == "__main__":
    main()
