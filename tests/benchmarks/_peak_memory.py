"""How much memory a call takes at its peak, in a process of its own."""

import subprocess
import sys

MEASURE = """
def kilobytes(name):
    # Not ru_maxrss, which a child process inherits from its parent on Linux.
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(name))
    return int(line.split()[1])

# The memory of now, as the peak of the imports may lie above it.
before = kilobytes("VmRSS")
work()
print((kilobytes("VmHWM") - before) * 1024 / 1e6)
"""


def peak_megabytes(script):
    """Return the megabytes that ``work()`` adds at its peak; Linux only.

    Parameters
    ----------
    script : str
        Python that prepares the work and defines ``work``.
    """
    done = subprocess.run(
        [sys.executable, "-c", script + MEASURE], capture_output=True, text=True, check=True
    )
    return float(done.stdout)
