"""Errors, paths and small helpers."""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TOOLS = os.path.join(ROOT, "tools")
CACHE = os.environ.get("TIDEVM_CACHE", os.path.join(ROOT, ".cache"))


class ToolError(Exception):
    """Something a person can mend; the text says what."""


def say(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr, flush=True)


def need(command, package):
    path = shutil.which(command)
    if path is None:
        raise ToolError(f"'{command}' is missing; it comes with the package {package} "
                        "(ci/install-deps installs everything)")
    return path


def static_busybox():
    path = shutil.which("busybox")
    # ldd fails on what is not dynamic.
    if path is None or subprocess.run(["ldd", path], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, check=False).returncode == 0:
        raise ToolError("a static busybox is missing; it comes with the package busybox-static "
                        "(ci/install-deps installs everything)")
    return path


def busybox_applets(path):
    listing = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [applet for applet in listing.split() if applet != "busybox"]


def write_if_changed(path, content):
    """Atomically; leaves the file (and its time) alone when it holds `content` already."""
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return False
    except FileNotFoundError:
        pass
    temporary = f"{path}.{os.getpid()}.new"
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)
    return True
