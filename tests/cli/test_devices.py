"""Listing devices and choosing one."""
import json
import os
import re
import unittest

from support import TRAINING, CommandTest, environment

FORWARD = ["forward", "--xdim", "1,6,6", "--cdims", "2", "--hdims", "none"]


class Listing(CommandTest):
    def test_table(self):
        result = self.run_command("--list-devices")
        self.assertRegex(result.stdout, r"(?m)^\* 0 +\d+:\d+ ")
        self.assertEqual(self.run_command("--list-devices", "-q").stdout, result.stdout)

    def test_json(self):
        listing = json.loads(self.run_command("--list-devices", "--json").stdout)
        first = listing["devices"][0]
        self.assertEqual(first["index"], 0)
        self.assertEqual(self.run_command("--json", "--list-devices").stdout,
                         self.run_command("--list-devices", "--json").stdout)


class Choosing(CommandTest):
    def setUp(self):
        text = self.run_command("--list-devices", "--json").stdout
        self.devices = json.loads(text)["devices"]
        self.first = self.devices[0]
        self.id = f"{self.first['platform']}:{self.first['device']}"

    def test_the_device_is_said(self):
        said = f"device {self.id}: {self.first['name']} "
        for selector in ("0", self.id):
            self.assertIn(said, self.run_command(*FORWARD, "--device", selector).stderr)
            self.assertIn(said, self.run_command("--device", selector, *FORWARD).stderr)
        self.assertIn(said, self.run_command(*FORWARD).stderr)
        self.assertIn(said, self.run_command(*FORWARD, env=environment(CNN_CL_DEVICE="0")).stderr)
        self.assertEqual(self.run_command(*FORWARD, "--quiet").stderr, "")

    def test_by_name(self):
        part = self.first["name"]
        if sum(part.lower() in (one["name"] + " " + one["platform_name"]).lower()
               for one in self.devices) > 1:
            self.skipTest("several devices have the first one's name")
        for selector in (part, part.upper()):
            self.assertIn(part, self.run_command(*FORWARD, "--device", selector).stderr)

    def test_what_is_not_there(self):
        for selector in ("99", "99:0", f"{self.first['platform']}:99", "no-such-device"):
            self.assert_refused([*FORWARD, "--device", selector], 3, selector)
            self.assert_refused(FORWARD, 3, selector, env=environment(CNN_CL_DEVICE=selector))

    def test_it_is_looked_for_before_the_data(self):
        for command in "train", "eval", "predict":
            arguments = [command, "--data", "/nowhere", "--device"]
            self.assert_refused([*arguments, "99"], 3, 'device "99": no such index')
            self.assert_refused([*arguments, "0"], 1, "/nowhere")
        self.assertFalse(self.exists("runs"))

    def test_commands_that_need_none_are_refused_too(self):
        """Before anything else that may be wrong with them."""
        for command in (["params"], ["report", "nowhere"], ["import", "nowhere", "out"],
                        ["export", "--model", "nowhere", "out.npz"], ["serve", "--model", "nowhere"],
                        ["doctor"], ["doctor", "--all"], ["bench"]):
            for selector in ("9", "9:9", "no-such-device"):
                env = environment(CNN_CL_DEVICE=selector)
                arguments = command if "--all" in command else [*command, "--device", selector]
                result = self.run_command(*arguments, code=3, env=env)
                self.assertIn(f'{selector}": ', result.stderr)
                self.run_command(*command, code=3, env=env)
        self.run_command("params", "--device", "0")
        listed = environment(CNN_CL_DEVICE="0,,1")
        self.assert_refused(["params"], 2, "CNN_CL_DEVICE: expected devices with commas", env=listed)
        self.assert_refused(["params", "--device", ","], 2, "--device: expected devices with commas", env=listed)
        self.assertIn("* 0", self.run_command("--list-devices", "--device", "9", code=3).stdout)
        for command in (["--help"], ["params", "--help"], ["--version"]):
            self.run_command(*command, "--device", "9")

    def test_the_option_wins_over_the_environment(self):
        self.run_command(*FORWARD, "--device", "0", env=environment(CNN_CL_DEVICE="99"))


class Two(CommandTest):
    """A second platform: Mesa's rusticl on the CPU, where it is installed."""

    def setUp(self):
        self.env = environment(RUSTICL_ENABLE="llvmpipe")
        text = self.run_command("--list-devices", "--json", env=self.env).stdout
        self.devices = json.loads(text)["devices"]
        self.second = next((one for one in self.devices if "llvmpipe" in one["name"]), None)
        if not self.second or len(self.devices) < 2:
            self.skipTest("there is no second platform")

    def test_are_listed(self):
        table = self.run_command("--list-devices", env=self.env).stdout
        self.assertEqual(len(re.findall(r"(?m)^\* ", table)), 2)  # the default, and the footnote
        for device in self.devices:
            self.assertIn(f"{device['platform']}:{device['device']}", table)
            self.assertIn(device["name"], table)
        usable = [one["index"] for one in self.devices if one["usable"]]
        self.assertEqual(usable, list(range(len(usable))))
        self.assertEqual(sum(one["default"] for one in self.devices), 1)

    def test_compute_alike(self):
        expected = self.run_command(*FORWARD, env=self.env).stdout
        ident = f"{self.second['platform']}:{self.second['device']}"
        for selector in (str(self.second["index"]), ident, "LLVMpipe"):
            result = self.run_command(*FORWARD, "--device", selector, env=self.env)
            self.assertIn(f"device {ident}: llvmpipe", result.stderr)
            self.assertEqual(result.stdout, expected)

    def test_a_part_of_both_names_is_refused(self):
        result = self.assert_refused([*FORWARD, "--device", "p"], 3, "several", env=self.env)
        self.assertIn("llvmpipe", result.stderr)


class Absent(CommandTest):
    """No platform at all."""

    def setUp(self):
        os.makedirs(self.folder + "/vendors", exist_ok=True)
        self.env = environment(OCL_ICD_VENDORS=self.folder + "/vendors")

    def test_list_says_what_to_do(self):
        self.assert_refused(["--list-devices"], 3, "install", env=self.env)
        result = self.run_command("--list-devices", "--json", code=3, env=self.env)
        self.assertEqual(json.loads(result.stdout)["devices"], [])
        self.assertRegex(result.stderr, r"\Acnn-cl: .*install.*\n\Z")

    def test_commands_are_refused(self):
        for command in (FORWARD, ["params", "--plan"], ["eval", "--data", self.data],
                        ["predict", "--data", self.data]):
            self.assert_refused(command, 3, "install", env=self.env)

    def test_train_leaves_nothing_behind(self):
        self.assert_refused(["train", "--data", self.data, "--out", "absent/run", *TRAINING], 3,
                            "install", env=self.env)
        self.assertFalse(self.exists("absent"))

    def test_params_needs_none(self):
        self.assertIn("Total number of parameters:[119,530].",
                      self.run_command("params", env=self.env).stdout)


if __name__ == "__main__":
    unittest.main()
