#!/usr/bin/env python3
"""Measures sums and training steps over hosts with a slow link between them, beside docs/scaling.md's model.

scripts/bench.sh hosts builds what is needed and calls this, as root. Hosts are network namespaces of this machine; what one
sends goes through tests/slow_link, which takes time for its bytes and delays it (the kernel's netem is not needed).
Each host has one rank of one thread. The sums and steps over a link without limit are what the others are told from.
"""
import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import bench
import bench_ranks

BEGIN, END = "<!-- bench.sh hosts begins -->", "<!-- bench.sh hosts ends -->"
NETWORK = "10.213.0"
NAME, DEVICE = f"cnn-cl-{os.getpid()}-%d", f"cnn{os.getpid()}-%d"
MBIT = 1e6 / 8.0 / 1e3  # bytes a millisecond
LINKS = [(0, 0), (1000, 0), (1000, 100), (1000, 1000), (10000, 0), (10000, 100), (10000, 1000)]  # Mbit/s, microseconds
SUMS = {"480 KB": 120000, "8,000 KB": 2000000}  # floats
OWN_LATENCY = 0.03  # ms: of a message without a link
CONGESTION = "reno"  # TCP's control that every namespace may take; nothing is lost here, so others would do the same
# mpirun starts the daemon of another host as a remote shell would.
AGENT = f"""#!/bin/sh
host=${{1##*.}}
shift
exec ip netns exec cnn-cl-{os.getpid()}-"$host" unshare --uts sh -c "hostname host-$host; $*"
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh hosts", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hosts", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--links", help="MBIT:MICROSECONDS,...; 0 Mbit/s is a link without limit, and always the first")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--mca", action="append", default=[], metavar="NAME=VALUE", help="a setting of Open MPI")
    parser.add_argument("--device", help="cnn-cl's OpenCL device")
    parser.add_argument("--build", default=os.path.join(bench.ROOT, "build"), help="the build folder")
    parser.add_argument("--output", help="a page in which the tables take the place of the last ones, docs/scaling.md, say")
    options = parser.parse_args(arguments)
    if not 2 <= options.hosts <= 16:
        parser.error(f"--hosts: expected 2 to 16, found {options.hosts}")
    if options.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, found {options.rounds}")
    for setting in options.mca:
        if not re.fullmatch(r"\w+=\S+", setting):
            parser.error(f"--mca: expected NAME=VALUE, found '{setting}'")
    options.all_links = LINKS
    if options.links is not None:
        if not re.fullmatch(r"\d+:\d+(,\d+:\d+)*", options.links):
            parser.error(f"--links: expected MBIT:MICROSECONDS,..., found '{options.links}'")
        links = [tuple(int(number) for number in link.split(":")) for link in options.links.split(",")]
        options.all_links = [(0, 0)] + [link for link in links if link != (0, 0)]
    for command in ("mpirun", "ip", "unshare"):
        if not shutil.which(command):
            sys.exit(f"bench_hosts.py: expected {command}, found none: run scripts/setup.sh --mpi")
    return options


def call(*command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        root = "" if os.geteuid() == 0 else " (root alone may make hosts)"
        sys.exit(f"bench_hosts.py: {shlex.join(command)}: {result.stderr.strip()[-2000:]}{root}")
    return result.stdout


@contextlib.contextmanager
def hosts(link, options):
    """Namespaces with the link between them, for as long as they are wanted."""
    numbers = range(1, options.hosts + 1)
    command = [os.path.join(options.build, "tests", "slow_link"), *map(str, link), *(DEVICE % i for i in numbers)]
    relay = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    made = []
    try:
        if relay.stdout.readline() != "ready\n":
            sys.exit("bench_hosts.py: no link between hosts: this needs root, and the kernel's TUN devices")
        for i in numbers:
            call("ip", "netns", "add", NAME % i)
            made.append(NAME % i)
            call("ip", "link", "set", DEVICE % i, "netns", NAME % i)
            call("ip", "-n", NAME % i, "addr", "add", f"{NETWORK}.{i}/24", "dev", DEVICE % i)
            call("ip", "-n", NAME % i, "link", "set", "lo", "up")
            call("ip", "-n", NAME % i, "link", "set", DEVICE % i, "mtu", "65000", "up")
            call("ip", "netns", "exec", NAME % i, "sh", "-c", f"echo {CONGESTION} > /proc/sys/net/ipv4/tcp_congestion_control")
        yield
    finally:
        relay.terminate()
        relay.wait()
        relay.stdout.close()
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


def start(options, agent, *command):
    """What rank 0 of the command prints, a rank on each host."""
    settings = {"plm_rsh_agent": agent, "btl": "tcp,self", "btl_tcp_if_include": f"{NETWORK}.0/24",
                "oob_tcp_if_include": f"{NETWORK}.0/24",
                **dict(setting.split("=", 1) for setting in options.mca)}
    where = ",".join(f"{NETWORK}.{i}" for i in range(1, options.hosts + 1))
    launched = ["ip", "netns", "exec", NAME % 1, "mpirun", "--host", where, "-n", str(options.hosts),
                "-x", "POCL_MAX_PTHREAD_COUNT"]
    for name, value in settings.items():
        launched += ["--mca", name, value]
    result = subprocess.run(launched + list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            env={**os.environ, **bench_ranks.LAUNCHED, "POCL_MAX_PTHREAD_COUNT": "1"})
    if result.returncode:
        sys.exit(f"bench_hosts.py: {shlex.join(command)}: it failed: {result.stderr[-2000:]}")
    return result.stdout


def measure(options, agent, link):
    """{what: milliseconds}, of the best round each; of networks also the bytes of a sum and what of it was exposed."""
    best, device = {}, ["--device", options.device] if options.device else []
    for number in range(options.rounds):
        found = {}
        for name, floats in SUMS.items():
            said = start(options, agent, os.path.join(options.build, "tests", "rank_sums"), str(floats), "30")
            found[name] = {"milliseconds": float(re.search(r"median ([0-9.]+) ms", said)[1])}
        for name, (words, images, steps) in bench_ranks.NETWORKS.items():
            said = start(options, agent, os.path.join(options.build, "src", "cli", "cnn-cl"), *device, "bench", "--json",
                         *words, "--batch", str(options.hosts * images), "--steps", str(steps))
            found[name] = json.loads(said)
        for name, result in found.items():
            best[name] = min(best.get(name, result), result, key=lambda one: one["milliseconds"])
        print(f"{describe_link(link)}, round {number + 1} of {options.rounds}: "
              + ", ".join(f"{name} {result['milliseconds']:.2f} ms" for name, result in found.items()), file=sys.stderr)
    return best


def describe_link(link):
    rate = f"{link[0] / 1000:g} Gbit/s" if link[0] else "no limit"
    return f"{rate}, {link[1] / 1000:g} ms"


def model_sum(link, count, size):
    """(milliseconds of bytes, of latencies) of a sum in parts over so many hosts: docs/scaling.md's formula."""
    messages, latency = 2 * (count - 1), OWN_LATENCY + link[1] / 1000
    return messages * size / count / (link[0] * MBIT), messages * latency


def tabulate(options, results):
    """The tables' lines: sums, and steps with what the model says from the step over the link without limit."""
    lines = ["| link: each host's rate, delay | " + " | ".join(f"sum of {name}, ms | model" for name in SUMS) + " |",
             "| --- |" + " ---: |" * 2 * len(SUMS)]
    for link, best in results.items():
        cells = []
        for name, floats in SUMS.items():
            model = f"{sum(model_sum(link, options.hosts, 4 * floats)):.1f}" if link[0] else "-"
            cells += [f"{best[name]['milliseconds']:.1f}", model]
        lines.append(f"| {describe_link(link)} | " + " | ".join(cells) + " |")
    lines += ["", "| link | network, images a rank | step, ms | model: max(compute, bytes) + latency "
              "| compute + bytes + latency | exposed |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for link, best in results.items():
        for name, (_, images, _) in bench_ranks.NETWORKS.items():
            alone = results[options.all_links[0]][name]
            compute = alone["milliseconds"] - alone["exposed_milliseconds"]
            hidden, shown = "-", "-"
            if link[0]:
                sent, latency = model_sum(link, options.hosts, best[name]["bytes"])
                hidden, shown = f"{max(compute, sent) + latency:.1f}", f"{compute + sent + latency:.1f}"
            cells = [describe_link(link), f"{name}, {images}", f"{best[name]['milliseconds']:.1f}", hidden, shown,
                     f"{best[name]['exposed_share']:.1%}"]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def main(arguments):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made goes, too
    results = {}
    with tempfile.TemporaryDirectory(prefix="cnn-cl-hosts-") as folder:
        agent = os.path.join(folder, "agent")
        with open(agent, "w", encoding="utf-8") as file:
            file.write(AGENT)
        os.chmod(agent, 0o755)
        for link in options.all_links:
            with hosts(link, options):
                results[link] = measure(options, agent, link)
    heading = (f"{bench_ranks.describe_run('hosts', arguments)}, {options.hosts} hosts: the best of {options.rounds} rounds "
               "(of sums, their medians of 30).")
    text = "\n".join([heading, "", *tabulate(options, results)])
    print(text)
    if options.output:
        bench.write_page(options.output, text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
