"""Kernel modules out of an unpacked kernel package: found by name, decompressed, in load order."""

import lzma
import os
import re
import subprocess

from .common import ToolError, need

_SUFFIXES = (".ko", ".ko.xz", ".ko.zst")


def _normal(name):
    return name.replace("-", "_")


def _decompress(path):
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".zst"):
        zstd = need("zstd", "zstd")
        return subprocess.run([zstd, "-dcq"], input=content, stdout=subprocess.PIPE, check=True).stdout
    return content


class ModuleTree:
    """`folder` is .../lib/modules/RELEASE. A package that was never installed has no modules.dep,
    so dependencies are read from the modules themselves (their .modinfo section)."""

    def __init__(self, folder):
        if not os.path.isdir(os.path.join(folder, "kernel")):
            raise ToolError(f"{folder} is no folder of kernel modules (it has no 'kernel' in it)")
        self._folder = folder
        self._paths = {}
        for parent, _, names in os.walk(os.path.join(folder, "kernel")):
            for name in names:
                if name.endswith(_SUFFIXES):
                    self._paths[_normal(name.partition(".ko")[0])] = os.path.join(parent, name)
        self._builtin = self._read_builtin()
        self._contents = {}

    def _read_builtin(self):
        try:
            with open(os.path.join(self._folder, "modules.builtin"), encoding="ascii") as file:
                return {_normal(os.path.basename(line.strip()).partition(".ko")[0]) for line in file}
        except FileNotFoundError:
            return set()

    def has(self, name):
        return _normal(name) in self._paths or _normal(name) in self._builtin

    def ordered(self, names):
        """[(file name, content)], each after what it depends on; built-in ones are left out."""
        result = {}
        for name in names:
            self._add(name, result, [])
        return list(result.items())

    def _add(self, name, result, path):
        normal = _normal(name)
        if normal in self._builtin or f"{normal}.ko" in result:
            return
        if normal in path:
            raise ToolError(f"kernel modules depend on each other in a circle: {path + [normal]}")
        if normal not in self._paths:
            raise ToolError(f"kernel module '{name}' is not in {self._folder}")
        content = _decompress(self._paths[normal])
        found = re.search(rb"\0depends=([^\0]*)\0", content)
        for dependency in found.group(1).decode().split(",") if found else []:
            if dependency:
                self._add(dependency, result, path + [normal])
        result[f"{normal}.ko"] = content
