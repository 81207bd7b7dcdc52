#!/usr/bin/env python3
"""Keeps the numbers in texts the C locale's: check_text.py [ROOT]

A program that embeds the library may have a locale with a decimal comma. src/base/plain.h is the one
place that formats and parses real numbers; this reports, as FILE:LINE, whatever else in src/ does:
printf() and its kin with %e, %f, %g or %a, or with a format that is not a literal; strtod() and its
kin; jansson's readers and writers; functions that look at or change the locale; ctype.h, whose
answers follow it. src/cli/ is a program of its own, prints what it likes, and only must leave the
locale alone. Exit status 1 when anything is reported.
"""
import os
import re
import sys

PRINTERS = {"printf": 0, "fprintf": 1, "dprintf": 1, "sprintf": 1, "snprintf": 2, "asprintf": 1}
SCANNERS = {"scanf": 0, "fscanf": 1, "sscanf": 1}
REAL = re.compile(r"%(?:%|[-+ #0']*(?:\*|\d+)?(?:\.(?:\*|\d+)?)?(?:hh|h|ll|l|L|z|j|t)?([A-Za-z]))")

# What is not to be called: the reason, by a pattern of names.
BANNED = [
    (r"v(?:f|d|s|sn|as)?printf|vf?s?scanf", "a list of values: use cnn_format_list()"),
    (r"strto(?:d|f|ld)|atof|wcsto(?:d|f|ld)", "use cnn_parse_double()"),
    (r"json_(?:dump\w*|load\w*)", "use cnn_json_dump() or cnn_json_parse()"),
    (r"is(?:alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit)|to(?:lower|upper)"
     r"|str(?:n?casecmp|coll|xfrm|ftime|fmon)", "it follows the locale: see base/text.h"),
]
LOCALE = (r"setlocale|newlocale|uselocale|duplocale|freelocale|localeconv|nl_langinfo",
          "the locale is the program's: use cnn_plain_enter()")

# The places that may: by file, the names.
OPEN = {
    "base/plain.c": {"vsnprintf", "newlocale", "uselocale"},
    "base/text.c": {"strtod"},
    "base/json.c": {"json_dumps", "json_loadb"},
    "cli/output.c": {"newlocale", "uselocale"},
}


def blank_comments(text):
    """The text with spaces for its comments."""
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0][0] == "/" else m[0], text)


def blank_strings(text):
    """The text with spaces for what its strings and characters hold; they keep their quotes."""
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
    return pattern.sub(lambda m: m[0][0] + " " * (len(m[0]) - 2) + m[0][-1], text)


def find_arguments(text, bare, start):
    """The arguments of the call whose parenthesis opens at start, as they stand in text."""
    parts, depth, begin = [], 0, start + 1
    for at in range(start, len(bare)):
        depth += bare[at] in "([{"
        depth -= bare[at] in ")]}"
        if depth == 0 or (depth == 1 and bare[at] == ","):
            parts.append(text[begin:at].strip())
            begin = at + 1
        if depth == 0:
            break
    return parts


def judge_format(name, parts, place):
    """What is wrong with the format of a call; None where nothing is."""
    if len(parts) <= place:
        return None
    pieces = re.findall(r'"((?:\\.|[^"\\])*)"', parts[place])
    rest = re.sub(r'"(?:\\.|[^"\\])*"|\bPRI\w+', "", parts[place])
    if not pieces or not re.fullmatch(r"[\s?:\w!=<>&|().\-\[\]]*", rest) or (rest.strip() and "?" not in rest):
        return f"{name}() with a format that is no literal: use cnn_format()"
    if any(letter in "aefgAEFG" for letter in REAL.findall("".join(pieces)) if letter):
        return f"{name}() of a real number: use cnn_format()"
    return None


def check_file(path, name):
    """The lines and reasons of what is not allowed in a file."""
    with open(path, encoding="utf-8") as file:
        text = blank_comments(file.read())
    bare = blank_strings(text)
    program = name.startswith("cli/")
    banned = [LOCALE, BANNED[1]] if program else [LOCALE, *BANNED]
    for call in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", bare):
        function, line = call[1], bare.count("\n", 0, call.start()) + 1
        if function in OPEN.get(name, ()):
            continue
        for pattern, reason in banned:
            if re.fullmatch(pattern, function):
                yield line, f"{function}(): {reason}"
        place = {**PRINTERS, **SCANNERS}.get(function)
        if place is not None and not program:
            reason = judge_format(function, find_arguments(text, bare, call.end() - 1), place)
            if reason:
                yield line, reason


def check(root):
    source, found = os.path.join(root, "src"), []
    for folder, _, files in sorted(os.walk(source)):
        for file in sorted(files):
            path = os.path.join(folder, file)
            name = os.path.relpath(path, source)
            if file.endswith((".c", ".h")):
                found += [f"src/{name}:{line}: {reason}" for line, reason in check_file(path, name)]
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    found = check(root)
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
