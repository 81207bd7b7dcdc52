"""MPI's launcher, where it is there, and the ranks that it started."""
import shutil
import subprocess

from support import CNN_CL, environment

LAUNCHER = shutil.which("mpirun") or shutil.which("mpiexec")
HAS_MPI = "built without" not in subprocess.run([CNN_CL, "--version"], capture_output=True,
                                                text=True, check=True).stdout
# As root, and with more ranks than cores, Open MPI wants to be asked.
RUN = environment(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                  OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none")


def read_process(pid, name):
    """What the system says of a process; "" of one that is gone."""
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def ranks_of(job):
    """The processes of its ranks, in their order."""
    children = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True,
                              check=False).stdout.split()
    return sorted(int(pid) for pid in children if "train" in read_process(pid, "cmdline"))
