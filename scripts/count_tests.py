#!/usr/bin/env python3
"""Counts the single tests of a `meson test` run: count_tests.py TESTLOG.json...

A program of Check or of Python's unittest counts with the tests that it reports, any other as one.
Prints `N passed, M failed, K skipped`; exit status 1 when one failed or none ran.
"""
import json
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [^\n]*\n+(?:OK|FAILED)(?: \(([^)]*)\))?$", re.MULTILINE)
PASSED = {"OK", "EXPECTEDFAIL"}


def count_check(output):
    """(passed, failed, skipped) of the summaries that Check prints."""
    found = [tuple(map(int, match)) for match in CHECK.findall(output)]
    failed = sum(failures + errors for _, failures, errors in found)
    return sum(checks for checks, _, _ in found) - failed, failed, 0


def count_unittest(output):
    """(passed, failed, skipped) of the summaries that unittest prints."""
    passed = failed = skipped = 0
    for ran, details in UNITTEST.findall(output):
        numbers = {key.strip(): int(value) for key, value in re.findall(r"([a-z ]+)=(\d+)", details)}
        bad = numbers.get("failures", 0) + numbers.get("errors", 0)
        skip = numbers.get("skipped", 0)
        failed += bad
        skipped += skip
        passed += int(ran) - bad - skip
    return passed, failed, skipped


def count(entry):
    """(passed, failed, skipped) of one line of Meson's log."""
    output = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    result = entry["result"]
    if result == "SKIP":
        return 0, 0, 1
    numbers = tuple(map(sum, zip(count_check(output), count_unittest(output))))
    if numbers == (0, 0, 0):
        return (1, 0, 0) if result in PASSED else (0, 1, 0)
    if result not in PASSED and numbers[1] == 0:
        # It crashed, hung or failed outside of its tests.
        return numbers[0], 1, numbers[2]
    return numbers


def main(paths):
    total = (0, 0, 0)
    for path in paths:
        try:
            with open(path, encoding="utf-8") as log:
                for line in log:
                    total = tuple(map(sum, zip(total, count(json.loads(line)))))
        except (OSError, ValueError, KeyError) as error:
            print(f"count_tests.py: {path} is not a test log of Meson: {error}", file=sys.stderr)
            return 1
    print("%d passed, %d failed, %d skipped" % total)
    return 0 if total[0] > 0 and total[1] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
