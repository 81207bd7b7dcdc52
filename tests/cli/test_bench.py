"""bench: the table, the JSON document, the trace, and what goes wrong."""
import json
import unittest

from support import NETWORK, CommandTest

SMALL = ["bench", "--steps", "2", "--batch", "8", *NETWORK, "--xdim", "1,8,8"]
LAYERS = ["conv2d_00", "relu_01", "maxpool2d_02", "dropout2d_03", "conv2d_04", "relu_05",
          "maxpool2d_06", "dropout2d_07", "flatten_08", "linear_09", "relu_10", "linear_11"]


class Bench(CommandTest):
    def document(self, *arguments):
        return json.loads(self.run_command(*SMALL, "--json", *arguments).stdout)

    def rows(self, document, phase):
        return [row["layers"] for row in document["rows"] if row["phase"] == phase]

    def test_table_and_trace(self):
        result = self.run_command(*SMALL, "--no-fuse", "--trace", "trace.json")
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"\Aphase +layers +launches +ms +share +GFLOP/s ")
        phases = [line.split()[0] for line in lines[1:lines.index("")]]
        count = len(LAYERS)
        self.assertEqual(phases, ["gather"] + ["forward"] * count + ["loss"] +
                         ["backward"] * count + ["update", "all"])
        self.assertRegex(result.stdout, r"(?m)^all +\d+ +\d+\.\d{3} +100\.0% ")
        self.assertRegex(result.stdout, r"Batch 8, medians of 2 training steps, \d+\.\d{3} ms ")
        self.assertRegex(result.stdout, r"\d\.\d GFLOP/s in fused multiply-adds, \d+\.\d GB/s")
        self.assertRegex(result.stderr, r"(?m)^the trace is in trace\.json$")

        trace = json.loads(self.read("trace.json"))
        events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        names = {event["name"] for event in events}
        self.assertLessEqual({"gather", "adam_update", "forward conv2d_00", "update"}, names)
        self.assertEqual({event["args"]["batch"] for event in events}, {0, 1})
        for thread in (1, 2):
            starts = [event["ts"] for event in events if event["tid"] == thread]
            self.assertGreater(len(starts), count)
            self.assertEqual(starts, sorted(starts))

    def test_json_of_training_and_evaluation(self):
        training = self.document("--no-fuse")
        self.assertEqual(self.rows(training, "forward"), LAYERS)
        self.assertEqual(self.rows(training, "backward"), LAYERS[::-1])
        self.assertIs(training["training"], True)
        self.assertAlmostEqual(sum(row["share"] for row in training["rows"]), 1, 6)
        evaluation = self.document("--no-fuse", "--eval")
        self.assertEqual(self.rows(evaluation, "forward"), LAYERS)
        self.assertEqual([row["phase"] for row in evaluation["rows"]],
                         ["gather"] + ["forward"] * len(LAYERS) + ["loss"])
        self.assertIs(evaluation["training"], False)
        self.assertEqual((evaluation["batch"], evaluation["steps"]), (8, 2))

    def test_augmentation(self):
        """Of its traces the one in the file before is replaced."""
        changed = self.run_command(*SMALL, "--trace", "trace.json", "--augment", "flip,color=0.2,mixup=0.3")
        self.assertRegex(changed.stdout, r"(?m)^gather +1 +\d")
        names = {event["name"] for event in json.loads(self.read("trace.json"))["traceEvents"]}
        self.assertIn("augment", names)
        plan = ["params", "--plan", "--batch", "8", *NETWORK, "--xdim", "1,8,8"]
        self.assertIn("Images are changed on their way in: augment ",
                      self.run_command(*plan, "--augment", "flip").stdout)
        self.assertNotIn("changed", self.run_command(*plan).stdout)

    def test_fused(self):
        fused = self.document()
        self.assertLess(len(self.rows(fused, "forward")), len(LAYERS))
        self.assertEqual(self.rows(fused, "forward")[0].split("..")[0], LAYERS[0])
        self.assertEqual(self.rows(fused, "forward")[-1].split("..")[-1], LAYERS[-1])

    def test_saved_model(self):
        self.train("run")
        path = "run/cnn.safetensors"
        text = self.run_command("bench", "--model", path, "--steps", "1", "--json", "-q")
        self.assertEqual(text.stderr, "")
        names = self.rows(json.loads(text.stdout), "forward")
        self.assertIn("conv2d_00", names[0])

    def test_what_goes_wrong(self):
        self.assert_refused(["bench", "--model", "no-such-file"], 1, "no-such-file")
        self.assert_refused(["bench", "--xdim", "1,2,2"], 2, "maxpool2d")
        self.assert_refused(["--device", "no such device", *SMALL], 3, "no such device")
        self.assert_refused([*SMALL, "--trace", "no-such-folder/trace.json"], 1, "--trace: no-such-folder")
        self.assertFalse(self.exists("no-such-folder"))

    def test_a_batch_beyond_memory(self):
        self.assert_refused(["bench", "--batch", "1000000", "--cdims", "512"], 1,
                            "use a smaller batch")


if __name__ == "__main__":
    unittest.main()
