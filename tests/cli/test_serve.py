"""serve over HTTP: answers, limits, malformed requests, sharing of batches, the end."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

import load
from support import CNN_CL, NETWORK, CommandTest, environment, make_data

NAMES = ["north-west", "nord-öst", "back\\slash", "south"]
SECONDS = 120


def quarter(label, side=8):
    """A PGM of the training data's kind."""
    pixels = bytes(200 if (y * 2 // side) * 2 + x * 2 // side == label else 40
                   for y in range(side) for x in range(side))
    return b"P5 %d %d 255\n" % (side, side) + pixels


class Server:
    """A running server; its address is what it printed. It is asked at `host`."""

    def __init__(self, folder, *options, host="127.0.0.1"):
        self.host = host
        self.process = subprocess.Popen(
            [CNN_CL, "serve", "--model", "run/cnn.safetensors", "--port", "0", *options],
            cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on http://(?:[\d.]+|\[[\da-f:.]+\]):(\d+)/\n", line)
        assert match, line + self.process.stderr.read()
        self.port = int(match[1])

    def connect(self, source=None):
        """From another address of this machine, which makes it another client."""
        return http.client.HTTPConnection(self.host, self.port, timeout=SECONDS,
                                          source_address=source and (source, 0))

    def ask(self, method, path, body=None, headers=None, source=None):
        """(status, headers, body)"""
        connection = self.connect(source)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def send(self, data, seconds=SECONDS):
        """Bytes as they are; what comes back until the server closes."""
        with socket.create_connection((self.host, self.port), timeout=seconds) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while part := connection.recv(65536):
                found += part
            return found

    def end(self, number=signal.SIGTERM):
        """Its exit code and stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors


class WithServer(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.named = make_data(cls.folder + "/named", names=NAMES)
        subprocess.run([CNN_CL, "train", "-q", "--data", cls.named, "--out", "run", *NETWORK,
                        "--epochs", "6", "--batch", "32", "--lr", "1e-2"], cwd=cls.folder,
                       env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=300)
        cls.server = Server(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.server.end()
        super().tearDownClass()


class Serve(WithServer):
    def assert_error(self, answer, status, pattern):
        self.assertEqual(answer[0], status, answer)
        self.assertEqual(answer[1]["Content-Type"], "application/json; charset=utf-8")
        self.assertEqual(answer[1]["X-Content-Type-Options"], "nosniff")
        document = json.loads(answer[2])
        self.assertEqual(list(document), ["error"])
        self.assertRegex(document["error"], pattern)

    def assert_alive(self):
        status, _, body = self.server.ask("GET", "/healthz")
        self.assertEqual((status, json.loads(body)["status"]), (200, "ok"))

    def test_prediction(self):
        for label in range(4):
            status, headers, body = self.server.ask("POST", "/predict", quarter(label, 24))
            self.assertEqual((status, headers["Content-Type"]),
                             (200, "application/json; charset=utf-8"))
            answer = json.loads(body)
            self.assertEqual(list(answer), ["label", "name", "probability", "probabilities"])
            self.assertEqual((answer["label"], answer["name"]), (label, NAMES[label]))
            self.assertAlmostEqual(sum(answer["probabilities"]), 1, delta=1e-4)
            self.assertEqual(answer["probability"], answer["probabilities"][label])

    def test_forms(self):
        def form(*parts, line="--b-0-u"):
            text = b"".join(line.encode() + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + body +
                            b"\r\n" for head, body in parts)
            return text + line.encode() + b"--\r\n"
        image, note = (b'name="file"; filename="x.pgm"', quarter(2, 24)), (b'name="note"', b"\r\n--b-0-x\r\n")
        kind = {"Content-Type": "multipart/form-data; boundary=b-0-u"}
        named = (b'name="filename"', b"x.pgm")
        spaced = (b'name="file"; FileName*=UTF-8\'\'x.pgm', image[1])
        near = (b'name="a"; filename="a;b.pgm"', image[1])
        for body in (form(image), form(note, image), form(image, note), form(named, image), form(spaced), form(near),
                     form((image[0], b""), image), form(image, (image[0], b"")),
                     form(image).replace(b"--b-0-u\r", b"--b-0-u \t\r")):
            status, _, answer = self.server.ask("POST", "/predict", body, kind)
            self.assertEqual((status, json.loads(answer)["label"]), (200, 2))
        # Bytes of the file that begin as the boundary does: its line is another.
        head, pixels = image[1][:-24 * 24], image[1][-24 * 24:]
        body = head + b"\r\n--xyz" + pixels[7:]
        status, _, answer = self.server.ask("POST", "/predict", form((image[0], body), line="--x"),
                                            {"Content-Type": "multipart/form-data; boundary=x"})
        self.assertEqual((status, json.loads(answer)["label"]), (200, 2))
        for body in form(note), form(named), form(image)[:-20], form(image).split(b"P5")[0]:
            self.assert_error(self.server.ask("POST", "/predict", body, kind), 400,
                              "expected a form with a whole file, or an image alone as the request's body")
        self.assert_error(self.server.ask("POST", "/predict", form(image, note, image), kind), 400,
                          "expected one image in a request, found several")
        self.assert_error(self.server.ask("POST", "/predict", form((image[0], b"none")), kind), 415, "image")
        self.assert_alive()

    def test_what_it_saw(self):
        self.assertNotIn("seen", json.loads(self.server.ask("POST", "/predict?seen=0", quarter(1, 16))[2]))
        answer = json.loads(self.server.ask("POST", "/predict?seen=1", quarter(1, 16))[2])
        self.assertEqual(answer["seen"]["shape"], [1, 8, 8])
        self.assertEqual(answer["seen"]["pixels"],
                         ([40] * 4 + [200] * 4) * 4 + [40] * 32)

    def test_is_what_predict_says(self):
        with open(self.folder + "/image.pgm", "wb") as file:
            file.write(quarter(2, 30))
        command = json.loads(self.run_command("predict", "--model", "run/cnn.safetensors",
                                              "--json", "image.pgm").stdout)["images"][0]
        answer = json.loads(self.server.ask("POST", "/predict", quarter(2, 30))[2])
        self.assertAlmostEqual(answer["probability"], command["probability"], delta=1e-5)

    def test_model(self):
        self.assertEqual(json.loads(self.server.ask("GET", "/model")[2]),
                         {"name": "cnn", "digits": False, "shape": [1, 8, 8], "classes": NAMES})

    def test_page(self):
        status, headers, body = self.server.ask("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"</html>", body)
        self.assertNotRegex(body, rb"(src|href)=\"(https?:)?//")
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        status, headers, head = self.server.ask("HEAD", "/")
        self.assertEqual((status, head, int(headers["Content-Length"])), (200, b"", len(body)))

    def test_paths_and_methods(self):
        for path in ("/absent", "/predict/", "/../etc/passwd", "/%2e%2e/etc/passwd", "//", "/healthz/x"):
            self.assert_error(self.server.ask("GET", path), 404, "there is no such page")
        for method, path, allow in (("POST", "/", "GET, HEAD"), ("DELETE", "/healthz", "GET, HEAD"),
                                    ("GET", "/predict", "POST"), ("PUT", "/predict", "POST"),
                                    ("OPTIONS", "/predict", "POST")):
            answer = self.server.ask(method, path)
            self.assert_error(answer, 405, "not allowed")
            self.assertEqual(answer[1]["Allow"], allow)

    def test_bodies_that_are_no_images(self):
        for body, status, pattern in (
                (b"", 400, "expected an image as the request's body, found nothing"),
                (b"hello", 415, "expected a picture"),
                (b"\0\0\x08\3", 415, "expected a picture"),
                (b"\x89PNG\r\n\x1a\nhello", 400, "the image: damaged or truncated PNG"),
                (b"\xff\xd8\xff\xe0", 400, "the image: damaged or truncated JPEG"),
                (quarter(1)[:-1], 400, "the image: truncated PNM"),
                (b"P5 0 8 255\n", 400, "the image: damaged or truncated PNM"),
                (b"P4 60000 60000\n" + bytes(1000), 400, "the image: truncated PNM"),
                (b"P4 8000 4000\n" + bytes(4000000), 400, "at most 16777216 pixels.*scale it down")):
            self.assert_error(self.server.ask("POST", "/predict", body), status, pattern)
        self.assert_alive()

    def test_large_bodies(self):
        self.assert_error(self.server.ask("POST", "/predict", bytes((8 << 20) + 1)), 413, "8 MiB")
        chunks = (bytes(1 << 20) for _ in range(9))
        self.assert_error(self.server.ask("POST", "/predict", chunks), 413, "8 MiB")
        self.assert_error(self.server.ask("POST", "/predict", b"",
                                          {"Content-Length": "1" + "0" * 15}), 413, "8 MiB")
        image = quarter(3)
        status, _, body = self.server.ask("POST", "/predict", iter([image[:7], image[7:]]))
        self.assertEqual((status, json.loads(body)["label"]), (200, 3))

    def test_malformed_requests(self):
        image = quarter(0)
        for data in (b"", b"\r\n\r\n", b"hello\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     bytes(range(256)) * 8, b"POST /predict HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                     b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
                     b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: zzz\r\n\r\nabc",
                     b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n" + image):
            with self.subTest(data[:40]):
                found = self.server.send(data)
                self.assertRegex(found, rb"\A(HTTP/1\.1 [45]\d\d |\Z)")
        self.assert_alive()

    def test_keeps_connections_alive(self):
        connection = self.server.connect()
        for label in (2, 0, 1):
            connection.request("POST", "/predict", quarter(label))
            response = connection.getresponse()
            self.assertEqual(json.loads(response.read())["label"], label)
            self.assertIsNone(response.getheader("Connection"))
        connection.close()

    def test_load(self):
        """Nothing is lost, and what comes together runs together."""
        count = int(os.environ.get("CNN_TEST_LOAD_REQUESTS", "500"))
        before = json.loads(self.server.ask("GET", "/healthz")[2])
        result = load.run("127.0.0.1", self.server.port, [quarter(i % 4) for i in range(8)], count,
                          32, check=lambda i, answer: answer["label"] == i % 4)
        print(json.dumps(result))
        self.assertEqual((result["answered"], result["wrong"]), (count, 0))
        after = json.loads(self.server.ask("GET", "/healthz")[2])
        self.assertEqual(after["images"] - before["images"], count)
        self.assertLess(after["batches"] - before["batches"], count)
        self.assertGreater(after["largest_batch"], 1)

    def test_more_connections_than_it_takes(self):
        idle = [socket.create_connection(("127.0.0.1", self.server.port), timeout=SECONDS)
                for _ in range(140)]
        self.assert_error(self.server.ask("POST", "/predict", quarter(1)), 503, "come back later")
        for connection in idle:
            connection.close()
        for _ in range(100):
            status, _, body = self.server.ask("POST", "/predict", quarter(1))
            if status == 200:
                break
            time.sleep(0.1)
        self.assertEqual(json.loads(body)["label"], 1)


class End(WithServer):
    """Ends of other servers than the shared one."""

    def test_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            server = Server(self.folder)
            server.ask("POST", "/predict", quarter(1))
            code, errors = server.end(number)
            self.assertEqual(code, 128 + number)
            self.assertNotIn("cnn-cl: ", errors)

    def test_what_was_asked_is_answered(self):
        server = Server(self.folder)
        connections = [server.connect() for _ in range(16)]
        bodies = [quarter(label, 400) for label in range(4)]
        for i, connection in enumerate(connections[1:]):
            connection.request("POST", "/predict", bodies[i % 4])
        slow = connections[0]
        slow.putrequest("POST", "/predict")
        slow.putheader("Content-Length", str(len(bodies[3])))
        slow.endheaders(bodies[3][:20])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
        self.assertIsNone(server.process.poll())
        slow.send(bodies[3][20:])
        response = slow.getresponse()
        self.assertEqual(response.getheader("Connection"), "close")
        self.assertEqual(json.loads(response.read())["label"], 3)
        for i, connection in enumerate(connections[1:]):
            self.assertEqual(json.loads(connection.getresponse().read())["label"], i % 4)
        for connection in connections:
            connection.close()
        self.assertEqual(server.process.wait(SECONDS), 128 + signal.SIGTERM)
        server.process.communicate()

    def test_a_second_signal_ends_it_at_once(self):
        server = Server(self.folder)
        slow = server.connect()
        slow.putrequest("POST", "/predict")
        slow.putheader("Content-Length", "10")
        slow.endheaders(b"P5 ")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the same wish
            time.sleep(0.02)
            server.process.send_signal(number)
        time.sleep(1.1)
        server.process.send_signal(signal.SIGHUP)  # never a second one
        time.sleep(0.4)
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.end(signal.SIGINT)[0], 130)
        slow.close()

    def test_ports_and_addresses(self):
        model = ["serve", "--model", "run/cnn.safetensors"]
        taken = str(self.server.port)
        self.assert_refused([*model, "--port", taken], 1,
                            f"127.0.0.1 port {taken}: cannot be listened on: .*try another --port")
        self.assert_refused([*model, "--port", "0", "--host", "192.0.2.1"], 1, "cannot be listened on")
        self.assert_refused([*model, "--port", "0", "--host", "no such host"], 1,
                            "--host no such host: expected an address of this machine")
        self.assert_refused(["serve"], 2, "expected a trained model, found none")
        self.assert_refused(["serve", "--model", "absent"], 1, "absent")
        for port in ("-1", "65536", "http", ""):
            self.assert_refused([*model, "--port=" + port], 2, "--port: expected an integer of 0 to 65535")


if __name__ == "__main__":
    unittest.main()
