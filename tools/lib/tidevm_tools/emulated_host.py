"""The emulated host: QEMU (TCG, a processor with SVM) with a stock Debian kernel and our agent.

It has one CPU unless asked otherwise: with two, QEMU's emulation of SVM has a race that kills the
host's kernel, or a guest in it, about every 150 s."""

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import cpio
from .common import (CACHE, TOOLS, ToolError, busybox_applets, need, say, static_busybox,
                     write_if_changed)
from .modules import ModuleTree
from .session import HostLost, Session, connect

STORE = os.path.join(CACHE, "kvm-host")
HOSTS = os.path.join(STORE, "hosts")
AGENT = os.path.join(TOOLS, "kvm_host_agent")
MODULES = ("virtio_pci", "virtio_console", "kvm", "kvm-amd")
BOOT_SECONDS = 180
# oops=panic and panic=-1 with -no-reboot: a host that is not sound ends at once, and is seen to.
CMDLINE = "quiet mitigations=off tsc=reliable console=ttyS0 oops=panic panic=-1"
# What makes time pass in the host: this machine's clock, or the instructions that the host executes,
# a nanosecond each. Time in which it only waits then passes at once.
CLOCKS = {"real": (), "instructions": ("-icount", "shift=0,sleep=off")}

_ONE_SHOT = "one-shot."
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
                  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nkvm:x:106:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost kvm-host\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def _output(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise ToolError(f"{os.path.basename(command[0])} failed")
    return result.stdout.strip()


def _read(path):
    with open(path, "rb") as file:
        return file.read()


class Lock:
    """flock on a file; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, path, wait=True):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            self.held = False

    def release(self):
        os.close(self._file)


# The image


def _agent():
    sources = sorted(name for name in os.listdir(AGENT) if name.endswith((".cpp", ".h")))
    digest = hashlib.sha256(b"".join(_read(os.path.join(AGENT, name)) for name in sources))
    path = os.path.join(STORE, f"agent-{digest.hexdigest()[:16]}")
    if not os.path.exists(path):
        compiler = need("g++", "g++")
        say("compiling the agent")
        new = f"{path}.{os.getpid()}"
        units = [os.path.join(AGENT, name) for name in sources if name.endswith(".cpp")]
        subprocess.run([compiler, "-std=c++20", "-O2", "-static", "-s", "-o", new] + units, check=True)
        os.replace(new, path)
    return path


def _initramfs(modules_folder, busybox):
    archive = cpio.Archive()
    for name in ("bin", "sbin", "lib", "lib64"):
        archive.folder(f"usr/{name}")
        archive.link(name, f"usr/{name}")
    for name in ("dev", "proc", "sys", "tmp", "run", "root", "mnt", "var"):
        archive.folder(name)
    archive.link("var/tmp", "/tmp")
    archive.link("var/run", "/run")
    for path, text in _FILES.items():
        archive.file(path, text.encode())
    archive.file("init", _read(_agent()), 0o755)
    # Applets are apart, last on PATH: programs that are sent from outside come before them.
    archive.file("busybox/busybox", _read(busybox), 0o755)
    for applet in busybox_applets(busybox):
        archive.link(f"busybox/bin/{applet}", "../busybox")
    archive.link("usr/bin/sh", "/busybox/busybox")
    archive.link("usr/bin/env", "/busybox/busybox")
    order = []
    for name, content in ModuleTree(modules_folder).ordered(MODULES):
        archive.file(f"modules/{name}", content)
        order.append(name + "\n")
    archive.file("modules/order", "".join(order).encode())
    return archive.to_bytes()


class Image:
    """Kernel, initramfs and QEMU; fetched and built when they are not there yet."""

    def __init__(self):
        guest_kernel = os.path.join(TOOLS, "guest-kernel")
        emulator = _output([os.path.join(TOOLS, "lib", "fetch-emulator")]).splitlines()
        self.sysroot, self.library_path = emulator
        self.kernel = _output([guest_kernel])
        os.makedirs(STORE, exist_ok=True)
        lock = Lock(os.path.join(STORE, "image.lock"))
        self.initramfs = self._cached_initramfs(_output([guest_kernel, "--modules"]))
        lock.release()

    def _cached_initramfs(self, modules_folder):
        busybox = static_busybox()
        status = os.stat(busybox)
        library = os.path.dirname(os.path.abspath(__file__))
        key = hashlib.sha256(repr((
            _agent(), modules_folder, os.stat(modules_folder).st_mtime_ns, status.st_size,
            status.st_mtime_ns,
            [_read(os.path.join(library, name)) for name in ("emulated_host.py", "cpio.py", "modules.py")],
        )).encode()).hexdigest()[:16]
        path = os.path.join(STORE, f"initramfs-{key}")
        if not os.path.exists(path):
            write_if_changed(path, _initramfs(modules_folder, busybox))
            for name in os.listdir(STORE):  # of former keys; a running QEMU has read its own
                if name.startswith("initramfs-") and name != os.path.basename(path):
                    os.unlink(os.path.join(STORE, name))
        return path

    def command(self, smp, memory, clock):
        share = os.path.join(self.sysroot, "usr/share")
        # The system's own folders too: firmware that was installed already is not unpacked again.
        firmware = [part for base in (share, "/usr/share") for name in ("qemu", "seabios")
                    for part in ("-L", os.path.join(base, name))]
        return [
            os.path.join(self.sysroot, "usr/bin/qemu-system-x86_64"), "-no-user-config", "-nodefaults",
            *firmware, "-accel", "tcg", "-cpu", "max", "-smp", str(smp), "-m", str(memory),
            *CLOCKS[clock],
            "-display", "none", "-no-reboot", "-kernel", self.kernel, "-initrd", self.initramfs,
            "-append", CMDLINE, "-serial", "file:console.log",
            "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent",
        ]


# A host


def _start_time(pid):
    """Tells a process from a later one with the same pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Host:
    """One emulated host; its state lies in a folder: config (pid and such), agent.sock, logs."""

    def __init__(self, folder):
        self.folder = folder
        self._process = None  # where it is our own child

    @staticmethod
    def named(name):
        return Host(os.path.join(HOSTS, name))

    @staticmethod
    def one_shot():
        os.makedirs(HOSTS, exist_ok=True)
        for name in os.listdir(HOSTS):
            if name.startswith(_ONE_SHOT):
                Host(os.path.join(HOSTS, name))._remove_if_orphaned()
        host = Host(tempfile.mkdtemp(prefix=_ONE_SHOT, dir=HOSTS))
        host.lock = Lock(os.path.join(host.folder, "lock"))
        return host

    def _remove_if_orphaned(self):
        """Its owner, killed, could not clean up. (Its QEMU died with it.)"""
        try:
            lock = Lock(os.path.join(self.folder, "lock"), wait=False)
        except FileNotFoundError:
            return
        if lock.held and time.time() - os.stat(self.folder).st_mtime > 5:
            shutil.rmtree(self.folder, ignore_errors=True)
        lock.release()

    def take(self):
        """Waits until nobody else uses this host."""
        os.makedirs(self.folder, exist_ok=True)
        lock = Lock(os.path.join(self.folder, "lock"), wait=False)
        if not lock.held:
            lock.release()
            lock = Lock(os.path.join(self.folder, "lock"))
        return lock

    def busy(self):
        lock = Lock(os.path.join(self.folder, "lock"), wait=False)
        lock.release()
        return not lock.held

    def config(self):
        try:
            return json.loads(_read(os.path.join(self.folder, "config")))
        except (FileNotFoundError, ValueError):
            return None

    def alive(self):
        config = self.config()
        if self._process is not None and self._process.poll() is not None:
            return False
        return config is not None and _start_time(config["pid"]) == config["start_time"]

    def start(self, image, smp, memory, clock, die_with_parent):
        for name in ("agent.sock", "console.log", "qemu.log", "config"):
            try:
                os.unlink(os.path.join(self.folder, name))
            except FileNotFoundError:
                pass
        environment = dict(os.environ, LD_LIBRARY_PATH=image.library_path)
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                image.command(smp, memory, clock), cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_die_with_parent if die_with_parent else None)
        config = {"pid": self._process.pid, "start_time": _start_time(self._process.pid), "smp": smp,
                  "memory": memory, "clock": clock, "kernel": os.path.basename(image.kernel)}
        write_if_changed(os.path.join(self.folder, "config"), json.dumps(config).encode())

    def connect(self):
        """A session with the agent, which may still be booting."""
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                connection = connect(self.folder, "agent.sock")
                break
            except HostLost:
                if not self.alive() or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        connection.settimeout(BOOT_SECONDS)
        session = Session(connection)
        session.hello(deadline - time.monotonic(), fresh=self._process is not None)
        return session

    def kill(self):
        """Returns whether there was something to end."""
        if not self.alive():
            return False
        pid = self.config()["pid"]
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        if self.alive():  # still the same process, now that the handle holds it
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.close(handle)
        return True

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ended_within(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.alive():
                return True
            time.sleep(0.05)
        return not self.alive()

    def last_words(self, lines=40):
        """The tails of its console and of QEMU's own messages."""
        parts = []
        for name, title in (("console.log", "console of the emulated host"), ("qemu.log", "QEMU")):
            try:
                text = _read(os.path.join(self.folder, name)).decode(errors="replace")
            except FileNotFoundError:
                continue
            tail = text.replace("\r", "").strip().splitlines()[-lines:]
            if tail:
                parts.append(f"--- {title}\n" + "\n".join(tail))
        return "\n".join(parts) or "--- (it said nothing)"
