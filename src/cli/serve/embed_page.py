#!/usr/bin/env python3
"""A page as C: embed_page.py PAGE.html OUT.c

Writes the page's bytes, with the style sheet and the script that it names in it, and a
Content-Security-Policy with the hashes of these."""
import base64
import hashlib
import os
import re
import sys


def hashes(page, tag):
    for content in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S):
        digest = hashlib.sha256(content.encode()).digest()
        yield f"'sha256-{base64.b64encode(digest).decode()}'"


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def main(source, target):
    folder = os.path.dirname(source)
    page = read(source)
    for tag, name in re.findall(r'(<(?:link rel="stylesheet" href|script src)="([^":]+)">(?:</script>)?)', page):
        kind = "script" if tag.startswith("<script") else "style"
        page = page.replace(tag, f"<{kind}>\n{read(os.path.join(folder, name))}</{kind}>")
    policy = "; ".join([
        "default-src 'none'",
        "script-src " + " ".join(hashes(page, "script")),
        "style-src " + " ".join(hashes(page, "style")),
        "img-src data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ])
    data = page.encode()
    rows = [", ".join(map(str, data[i:i + 20])) for i in range(0, len(data), 20)]
    with open(target, "w", encoding="utf-8") as file:
        file.write('#include "cli/serve/page.h"\n\nconst unsigned char cli_page[] = {\n'
                   + "".join(f"    {row},\n" for row in rows) + "};\n"
                   f"const size_t cli_page_size = {len(data)};\n"
                   f'const char cli_page_policy[] = "{policy}";\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
