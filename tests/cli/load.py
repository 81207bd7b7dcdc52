#!/usr/bin/env python3
"""A load for cnn-cl serve: load.py [--requests N] [--connections N] HOST:PORT IMAGE...

Sends the images in turn over that many connections at a time, each the next as soon as it has its
answer, and prints one line of JSON: how many were answered, how many answers were no 200, the
quantiles of the time from request to answer in milliseconds, and the requests a second."""
import argparse
import asyncio
import json
import sys
import time

SECONDS = 60


async def read_answer(reader):
    """(status, body)"""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:"))
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def work(host, port, requests, numbers, times, wrong, check):
    reader = writer = None
    for number in numbers:
        if writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        start = time.perf_counter()
        writer.write(requests[number % len(requests)])
        status, body = await asyncio.wait_for(read_answer(reader), SECONDS)
        times.append(time.perf_counter() - start)
        if status != 200 or (check and not check(number, json.loads(body))):
            wrong.append(number)
    if writer:
        writer.close()


async def run_all(host, port, requests, count, connections, check):
    times, wrong = [], []
    numbers = iter(range(count))
    start = time.perf_counter()
    ended = await asyncio.gather(
        *(work(host, port, requests, numbers, times, wrong, check) for _ in range(connections)),
        return_exceptions=True)
    seconds = time.perf_counter() - start
    for error in ended:
        if error:
            print(f"load.py: {error!r}", file=sys.stderr)
    times.sort()

    def quantile(part):
        return round(1000 * times[min(int(part * len(times)), len(times) - 1)], 2) if times else None

    return {"requests": count, "connections": connections, "answered": len(times),
            "wrong": len(wrong), "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
            "max_ms": quantile(1), "requests_per_second": round(len(times) / seconds, 1)}


def run(host, port, images, count, connections, check=None):
    """The result as an object; check(number, answer) says whether an answer is right."""
    requests = [b"POST /predict HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (host.encode(), len(image), image) for image in images]
    return asyncio.run(run_all(host, port, requests, count, connections, check))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("address")
    parser.add_argument("images", nargs="+")
    options = parser.parse_args()
    host, port = options.address.rsplit(":", 1)
    images = [open(path, "rb").read() for path in options.images]
    result = run(host, int(port), images, options.requests, options.connections)
    print(json.dumps(result))
    return 0 if result["answered"] == options.requests and result["wrong"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
