"""scripts/fetch_mnist.sh against mirrors on loopback: good, dead, corrupt, truncated."""
import functools
import gzip
import http.server
import os
import shutil
import socket
import threading
import unittest

from tools import MNIST, NAMES, SCRIPTS, ScriptCase

HAS_MNIST = all(os.path.isfile(os.path.join(MNIST, name + ".gz")) for name in NAMES)
needs_mnist = unittest.skipUnless(HAS_MNIST, "MNIST is not there to be served")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        super().do_GET()


class FetchCase(ScriptCase):
    def serve(self, folder):
        """The address of a mirror that serves a folder; its requests are in self.server.requests."""
        handler = functools.partial(QuietHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.requests = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.server = server
        return f"http://127.0.0.1:{server.server_port}/"

    def dead_mirror(self):
        """An address where nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{probe.getsockname()[1]}/"

    def mirror_folder(self, **changes):
        """A copy of MNIST in which files are replaced: name=bytes, with _ for -."""
        folder = self.path("mirror")
        os.mkdir(folder)
        for name in NAMES:
            target = os.path.join(folder, name + ".gz")
            content = changes.get(name.replace("-", "_"))
            if content is None:
                os.symlink(os.path.abspath(os.path.join(MNIST, name + ".gz")), target)
            else:
                with open(target, "wb") as file:
                    file.write(content)
        return folder

    def fetch(self, *mirrors, **environment):
        self.target = self.path("data", "mnist")
        return self.run_script(
            os.path.join(SCRIPTS, "fetch_mnist.sh"),
            self.target,
            CNN_CL_MNIST_MIRRORS=" ".join(mirrors),
            no_proxy="*",
            **environment,
        )

    def assert_complete(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(os.listdir(self.target)), sorted(name + ".gz" for name in NAMES))
        for name in NAMES:
            with open(os.path.join(MNIST, name + ".gz"), "rb") as there:
                with open(os.path.join(self.target, name + ".gz"), "rb") as here:
                    self.assertEqual(there.read(), here.read(), name)


class FromGoodMirrors(FetchCase):
    @needs_mnist
    def test_takes_all_from_the_first(self):
        self.assert_complete(self.fetch(self.serve(MNIST), self.dead_mirror()))

    @needs_mnist
    def test_passes_over_a_dead_one(self):
        result = self.fetch(self.dead_mirror(), self.serve(MNIST))
        self.assert_complete(result)
        self.assertIn("no answer", result.stderr)

    @needs_mnist
    def test_works_with_wget_alone(self):
        if shutil.which("wget") is None:
            self.skipTest("wget is not there")
        self.link_commands("sh", "dirname", "gzip", "sha256sum", "cut", "rm", "mv", "mkdir", "rmdir", "wget")
        self.assert_complete(self.fetch(self.dead_mirror(), self.serve(MNIST), PATH=self.bin))

    @needs_mnist
    def test_leaves_right_files_alone(self):
        mirror = self.serve(MNIST)
        self.fetch(mirror)
        before = {name: os.stat(os.path.join(self.target, name)) for name in os.listdir(self.target)}
        self.server.requests.clear()
        result = self.fetch(mirror)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, f"MNIST is already in {self.target}.\n")
        self.assertEqual(self.server.requests, [])
        for name, status in before.items():
            now = os.stat(os.path.join(self.target, name))
            self.assertEqual((status.st_ino, status.st_mtime_ns), (now.st_ino, now.st_mtime_ns))

    @needs_mnist
    def test_replaces_only_the_file_that_is_wrong(self):
        mirror = self.serve(MNIST)
        self.fetch(mirror)
        self.server.requests.clear()
        with open(os.path.join(self.target, NAMES[3] + ".gz"), "r+b") as file:
            file.truncate(1000)
        self.assert_complete(self.fetch(mirror))
        self.assertEqual(self.server.requests, [f"/{NAMES[3]}.gz"])

    @needs_mnist
    def test_counts_unpacked_files(self):
        os.makedirs(self.path("data", "mnist"))
        for name in NAMES:
            with gzip.open(os.path.join(MNIST, name + ".gz")) as packed:
                with open(self.path("data", "mnist", name), "wb") as plain:
                    shutil.copyfileobj(packed, plain)
        result = self.fetch(self.dead_mirror())
        self.assertEqual((result.returncode, result.stderr), (0, ""))


class FromBadMirrors(FetchCase):
    def bad_then_good(self, content):
        bad = self.serve(self.mirror_folder(train_labels_idx1_ubyte=content))
        result = self.fetch(bad, self.serve(MNIST))
        self.assert_complete(result)
        self.assertIn("truncated, corrupt or another file", result.stderr)

    @needs_mnist
    def test_falls_to_the_next_after_a_corrupt_file(self):
        with open(os.path.join(MNIST, NAMES[1] + ".gz"), "rb") as file:
            content = bytearray(file.read())
        content[len(content) // 2] ^= 0x10
        self.bad_then_good(bytes(content))

    @needs_mnist
    def test_falls_to_the_next_after_a_truncated_file(self):
        with open(os.path.join(MNIST, NAMES[1] + ".gz"), "rb") as file:
            self.bad_then_good(file.read()[:-5])

    @needs_mnist
    def test_falls_to_the_next_after_another_file(self):
        self.bad_then_good(gzip.compress(b"not these labels"))

    def test_leaves_nothing_where_all_fail(self):
        os.mkdir(self.path("mirror"))
        with open(self.path("mirror", NAMES[0] + ".gz"), "wb") as file:
            file.write(b"<html>not found</html>")
        mirrors = [self.dead_mirror(), self.serve(self.path("mirror"))]
        result = self.fetch(*mirrors)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        for mirror in mirrors:
            self.assertIn(mirror, result.stderr.splitlines()[-1])
        self.assertFalse(os.path.exists(self.target))

    def test_keeps_a_folder_that_was_there(self):
        os.makedirs(self.path("data", "mnist"))
        result = self.fetch(self.dead_mirror())
        self.assertEqual(result.returncode, 1)
        self.assertEqual(os.listdir(self.target), [])

    def test_names_an_unpacked_file_that_is_wrong(self):
        self.write(os.path.join("data", "mnist", NAMES[0]), "something else")
        result = self.fetch(self.dead_mirror())
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{NAMES[0]} is there but is not MNIST's", result.stderr)


if __name__ == "__main__":
    unittest.main()
