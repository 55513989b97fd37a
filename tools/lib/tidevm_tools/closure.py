"""Which files a command needs to run elsewhere: the executable, its libraries with the loader, a
script's interpreter, and the links on the way to each of them."""

import os
import shutil
import stat
import subprocess

from .common import ToolError, need

# Made by the emulated host itself; never sent.
_HOSTS_OWN = ("/proc", "/sys", "/dev")


class FileSet:
    """Paths as they are outside, parents before children. Nothing is added twice."""

    def __init__(self, environment):
        """`environment` is what the command will run with; LD_LIBRARY_PATH in it counts."""
        self.paths = {}  # path -> os.stat_result (of the path itself, links not followed)
        self._environment = environment

    def add(self, path):
        """One file, link or empty folder, with every link that leads to it."""
        path = os.path.abspath(path)
        pending = [part for part in path.split("/") if part]
        at = "/"
        for _ in range(1000):
            if not pending:
                return at
            at = os.path.normpath(os.path.join(at, pending.pop(0)))
            if at.startswith(_HOSTS_OWN) and at.split("/")[1] in ("proc", "sys", "dev"):
                return at
            status = os.lstat(at)
            if at != "/":
                self.paths.setdefault(at, status)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(at)
                pending = [part for part in target.split("/") if part] + pending
                at = "/" if target.startswith("/") else os.path.dirname(at)
        raise ToolError(f"too many symbolic links in {path}")

    def add_tree(self, path):
        """A file, or a folder with all that is in it; with what its programs need to run."""
        real = self.add(path)
        if not os.path.isdir(real):
            self.add_needs_of(real)
            return
        for parent, folders, names in os.walk(real):
            for name in folders + names:
                entry = os.path.join(parent, name)
                status = os.lstat(entry)
                kind = status.st_mode
                if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind)):
                    continue
                self.paths[entry] = status
                if stat.S_ISREG(kind) and kind & 0o111:
                    self.add_needs_of(entry)

    def add_program(self, path):
        """One that is to be run: what it lacks here is an error."""
        self.add_needs_of(self.add(path), complete=True)

    def add_needs_of(self, path, complete=False):
        with open(path, "rb") as file:
            head = file.read(256)
        if head.startswith(b"\x7fELF"):
            for library in self._libraries(path, complete):
                self.add(library)
        elif head.startswith(b"#!"):
            words = head.splitlines()[0][2:].decode(errors="replace").split()
            if not words:
                return
            if os.path.exists(words[0]) and words[0] != path:
                self.add_program(words[0])
            if os.path.basename(words[0]) == "env":
                for word in words[1:]:
                    found = None if word.startswith("-") or "=" in word else shutil.which(word)
                    if found:
                        self.add_program(found)
                        break

    def _libraries(self, path, complete):
        """Asks the loader itself, so that rpath, LD_LIBRARY_PATH and the cache count as they do here."""
        environment = dict(os.environ)
        if "LD_LIBRARY_PATH" in self._environment:
            environment["LD_LIBRARY_PATH"] = self._environment["LD_LIBRARY_PATH"]
        result = subprocess.run([need("ldd", "libc-bin"), path], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, check=False,
                                env=environment)
        libraries = []
        for line in result.stdout.splitlines():
            words = line.split()
            if complete and "not found" in line:
                raise ToolError(f"{path} needs the library {words[0]}, which this machine does not have")
            if "=>" in words and len(words) > 2 and words[2].startswith("/"):
                libraries.append(words[2])
            elif words and words[0].startswith("/") and "(0x" in line:
                libraries.append(words[0])
        return libraries
