"""The OpenCL drivers of this machine, each alone in a process: two that are built on LLVM do not
always bear each other."""
import glob
import json
import os
import re
import subprocess

NO_DEVICE = 3  # cnn-cl's exit code
VENDORS = "/etc/OpenCL/vendors"


def find(more=()):
    """ICD files and libraries: what the loader would load, then those given. [None], the loader's
    own choice, where there is none at all."""
    place = os.environ.get("OCL_ICD_VENDORS") or VENDORS
    found = sorted(glob.glob(os.path.join(place, "*.icd"))) if os.path.isdir(place) else []
    if not os.path.isdir(place) and place != VENDORS:
        # ocl-icd: one file, which may be named alone, or a library.
        inside = os.path.join(VENDORS, place)
        found = [inside if os.path.exists(inside) else place]
    return found + [os.path.abspath(path) for path in more] or [None]


def environment(driver, scratch):
    """What makes the loader see one driver alone; rusticl offers its devices only by request."""
    result = {key: value for key, value in os.environ.items()
              if key not in ("CNN_CL_DEVICE", "CNN_CL_KERNEL_CLASS", "CNN_TEST_DEVICE_MAY_BE_ABSENT")}
    asked = [name for name in os.environ.get("RUSTICL_ENABLE", "").split(",") if name]
    result["RUSTICL_ENABLE"] = ",".join(dict.fromkeys(asked + ["llvmpipe"]))
    if driver is not None:
        result["OCL_ICD_VENDORS"] = folder_of(driver, scratch)
    return result


def folder_of(driver, scratch):
    """A folder with one ICD file, which both common loaders take for the folder of all of them."""
    folder = os.path.join(scratch, re.sub(r"\W", "_", driver))
    os.makedirs(folder, exist_ok=True)
    library = driver
    if driver.endswith(".icd"):
        with open(driver, encoding="utf-8") as file:
            library = file.readline().strip()
    with open(os.path.join(folder, "driver.icd"), "w", encoding="utf-8") as file:
        file.write(library + "\n")
    return folder


class Broken(Exception):
    """A driver that ends the process that asks for its devices."""


def devices(build, variables):
    """What cnn-cl lists: usable ones first. Raises Broken."""
    command = os.path.join(build, "src", "cli", "cnn-cl")
    done = subprocess.run([command, "--list-devices", "--json"], env=variables, capture_output=True,
                          text=True, check=False)
    if done.returncode not in (0, NO_DEVICE):
        raise Broken(f"listing its devices ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)["devices"] if done.stdout.strip() else []


def title_of(device):
    """Name, platform, driver and OpenCL's version: fit for a table."""
    words = [device["name"], device["platform_name"], f"driver {device['driver']}", f"OpenCL {device['opencl']}"]
    return [word.replace("|", "/") for word in words]


def title_text(device):
    return ", ".join(title_of(device))
