#!/usr/bin/env python3
"""Keeps the table of src/README.md true: check_includes.py [ROOT]

Reads from the table which rooms and libraries each room of src/ may include, and reports every
other #include as FILE:LINE. In the column "may include", "NAME (file.c)" opens a library to that file
alone, and "public headers only" closes base/, which is open to all else. The rooms stand bottom-up:
a row may name only rooms above it. Exit status 1 when anything is reported.
"""
import os
import re
import sys

TABLE = "src/README.md"
INCLUDE = re.compile(r"^\s*#\s*include\b\s*(.*)$")
TARGET = re.compile(r'([<"])([^>"]+)[>"]')
ROW = re.compile(r"^\|\s*`([a-z_]+)/`\s*\|[^|]*\|([^|]*)\|\s*$")
TOKEN = re.compile(r"([^,()]+)(?:\(([^)]*)\))?,?")
GENERATED = "build_config.h"
OPEN_ROOM = "base"

# The headers of C11 and of POSIX; any other header in <> belongs to a library.
SYSTEM = set(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
    stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar
    wchar wctype aio arpa/inet cpio dirent dlfcn fcntl fmtmsg fnmatch ftw getopt glob grp iconv
    langinfo libgen monetary mqueue ndbm net/if netdb netinet/in netinet/tcp nl_types poll pthread pwd
    regex sched search semaphore spawn strings stropts sys/file sys/ioctl sys/ipc sys/mman sys/msg
    sys/resource sys/select sys/sem sys/shm sys/socket sys/stat sys/statvfs sys/time sys/times
    sys/types sys/uio sys/un sys/utsname sys/wait syslog tar termios ulimit unistd utime utmpx
    wordexp""".split()
)


class Row:
    """What one room may include."""

    def __init__(self, line, cell):
        self.line = line
        self.public_only = False
        self.rooms = set()
        self.libraries = {}  # lower-case name: the files it is open to, or None for all
        for name, files in TOKEN.findall(cell):
            name = name.strip()
            if name == "public headers only":
                self.public_only = True
            elif name == "C library" or not name:
                continue
            else:
                opened = {part.strip() for part in files.split(",")} if files else None
                self.libraries[name.lower()] = opened

    def settle(self, names):
        """Tells rooms from libraries once all names are known."""
        self.rooms = {name for name in self.libraries if name in names}
        for name in self.rooms:
            del self.libraries[name]


def read_table(root):
    """({room: Row}, violations of the table itself)"""
    rows = {}
    reports = []
    with open(os.path.join(root, TABLE), encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            match = ROW.match(line)
            if match:
                rows[match.group(1)] = Row(number, match.group(2))
    above = set()
    for name, row in rows.items():
        row.settle(rows)
        for room in sorted(row.rooms - above):
            reports.append(f"{TABLE}:{row.line}: {name}/ names {room}/, which does not stand above it")
        above.add(name)
        if not os.path.isdir(os.path.join(root, "src", name)):
            reports.append(f"{TABLE}:{row.line}: there is no folder src/{name}/")
    if not rows:
        reports.append(f"{TABLE}:1: expected a table of rooms, found none")
    return rows, reports


def sources(root, folder):
    for parent, folders, names in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(parent, name), root)


def includes(root, path):
    """(line number, the target with its < or ", or None where it is not plain)"""
    with open(os.path.join(root, path), encoding="utf-8") as source:
        text = source.read()
    # Comments go, their newlines stay.
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            target = TARGET.match(match.group(1))
            yield number, target.groups() if target else None


def room_of(root, path, target, rows):
    """The room of a "quoted" include: a room's name, "public", GENERATED, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    inside = os.path.normpath(os.path.join("src", target))
    found = beside if os.path.isfile(os.path.join(root, beside)) else inside
    parts = found.split(os.sep)
    if parts[0] == "src" and len(parts) > 2 and parts[1] in rows:
        return parts[1]
    if target == GENERATED:
        return GENERATED
    return "public" if target.startswith("cnncl/") or parts[0] == "include" else None


def library_of(target, row):
    """The library of the row's whose header <target> is: <zlib.h> of zlib, <CL/cl.h> of OpenCL."""
    header = target.lower()
    for library in row.libraries:
        if header.startswith("cl/" if library == "opencl" else library):
            return library
    return None


def judge(root, path, room, row, opening, target, rows):
    """Why this include is wrong, or None."""
    if opening == '"':
        other = room_of(root, path, target, rows)
        if other is None:
            return f'"{target}" is no header of this project'
        if other in (room, "public"):
            return None
        if row.public_only:
            return f'{room}/ may include public headers only, found "{target}"'
        if other in (OPEN_ROOM, GENERATED) or other in row.rooms:
            return None
        return f"{room}/ may not include {other}/"
    if target.startswith("cnncl/") or (target.endswith(".h") and target[:-2] in SYSTEM):
        return None
    library = library_of(target, row)
    if library is None:
        return f"{room}/ may not include <{target}>"
    files = row.libraries[library]
    if files and os.path.basename(path) not in files:
        return f"only {', '.join(sorted(files))} of {room}/ may include <{target}>"
    return None


def check_file(root, path, room, row, rows):
    for number, target in includes(root, path):
        if target is None:
            yield f"{path}:{number}: expected #include with a file's name, found a macro"
            continue
        why = judge(root, path, room, row, *target, rows)
        if why:
            yield f"{path}:{number}: {why}; see {TABLE}"


def check(root):
    """All reports, and the number of files that were read."""
    rows, reports = read_table(root)
    count = 0
    for path in sources(root, "src"):
        count += 1
        parts = path.split(os.sep)
        if len(parts) < 3 or parts[1] not in rows:
            reports.append(f"{path}:1: expected a file of a room of {TABLE}, found another place")
            continue
        reports.extend(check_file(root, path, parts[1], rows[parts[1]], rows))
    public = Row(0, "public headers only")
    for path in sources(root, "include"):
        count += 1
        reports.extend(check_file(root, path, "include", public, rows))
    return reports, count


def main(arguments):
    root = arguments[0] if arguments else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    reports, count = check(root)
    for report in reports:
        print(report)
    if count == 0:
        print(f"check_includes.py: expected C files below {root}, found none")
    return 1 if reports or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
