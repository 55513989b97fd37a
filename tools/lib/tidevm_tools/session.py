"""The client's side of the agent's protocol (tools/kvm_host_agent/protocol.h)."""

import os
import select
import socket
import stat
import struct
import time

from .common import ToolError

_SYNC = b"\x02tidevm-kvm-host"
_HEADER = struct.Struct("<IB")
_ENTRY = struct.Struct("<IQqHH")
_CHUNK = 128 * 1024
_FRAME_MAX = 300 * 1024  # no frame is longer
_SYNC_SECONDS = 5


class HostLost(Exception):
    """The connection to the emulated host broke."""


class Session:
    def __init__(self, connection):
        self._socket = connection
        self._input = bytearray()

    def fileno(self):
        return self._socket.fileno()

    # Frames

    def send(self, kind, payload=b""):
        self._send_raw(_HEADER.pack(len(payload), ord(kind)) + payload)

    def _send_raw(self, data):
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise HostLost(str(error)) from error

    def _receive(self):
        try:
            data = self._socket.recv(1 << 20)
        except OSError as error:
            raise HostLost(str(error)) from error
        if not data:
            raise HostLost("connection closed")
        return data

    def frames(self, timeout):
        """Reads once (for at most `timeout` seconds) and returns the whole frames there are."""
        readable, _, _ = select.select([self._socket], [], [], timeout)
        if readable:
            self._input += self._receive()
        result = []
        while len(self._input) >= _HEADER.size:
            size, kind = _HEADER.unpack_from(self._input)
            end = _HEADER.size + size
            if len(self._input) < end:
                break
            result.append((chr(kind), bytes(self._input[_HEADER.size:end])))
            del self._input[:end]
        return result

    def _expect(self, kind, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for found, payload in self.frames(deadline - time.monotonic()):
                if found == kind:
                    return payload
                if found == "!":
                    raise ToolError(f"emulated host: {payload.decode(errors='replace')}")
        raise HostLost(f"no answer within {seconds:.0f} s")

    # Steps of a session

    def hello(self, seconds, fresh):
        """Until the agent answers. A `fresh` one may still be booting. At another one, a client
        before us may have been cut off in the middle of a frame, which then swallows our sync: so
        it is sent again, after enough zeros to end any frame."""
        deadline = time.monotonic() + seconds
        nonce = os.urandom(16)
        wanted = _HEADER.pack(len(nonce), ord("H")) + nonce
        self._send_raw(_SYNC + nonce)
        next_try = deadline if fresh else time.monotonic() + _SYNC_SECONDS
        seen = bytearray()
        while time.monotonic() < deadline:
            if time.monotonic() > next_try:
                self._send_raw(bytes(_FRAME_MAX) + _SYNC + nonce)
                next_try = time.monotonic() + _SYNC_SECONDS
            readable, _, _ = select.select([self._socket], [], [], 0.5)
            if not readable:
                continue
            seen += self._receive()
            at = seen.find(wanted)  # what comes before is of a former session
            if at >= 0:
                self._input = seen[at + len(wanted):]
                return
        raise HostLost(f"the agent did not answer within {seconds:.0f} s")

    def send_files(self, paths):
        """`paths`: path -> lstat result. Returns how many bytes of contents went over."""
        entries = []
        batch = bytearray()
        for path, status in paths.items():
            target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
            name, link = os.fsencode(path), os.fsencode(target)
            entries.append((path, status))
            batch += _ENTRY.pack(status.st_mode, status.st_size, status.st_mtime_ns, len(name),
                                 len(link)) + name + link
            if len(batch) > _CHUNK:
                self.send("M", bytes(batch))
                batch.clear()
        self.send("M", bytes(batch))
        self.send("m")
        wanted = self._expect("N", 60)
        total = 0
        for (index,) in struct.iter_unpack("<I", wanted):
            path, status = entries[index]
            self._send_contents(path, status.st_size)
            total += status.st_size
        return total

    def _send_contents(self, path, size):
        """Exactly `size` bytes, which is what the agent counts on."""
        with open(path, "rb") as file:
            while size > 0:
                data = file.read(min(size, _CHUNK)) or bytes(min(size, _CHUNK))
                self.send("D", data)
                size -= len(data)

    def execute(self, arguments, environment, folder):
        strings = [folder] + [f"{key}={value}" for key, value in environment.items()] + arguments
        text = b"".join(os.fsencode(string) + b"\0" for string in strings)
        self.send("X", struct.pack("<I", len(environment)) + text)

    def signal(self, number):
        self.send("K", bytes([number]))

    def fetch(self, path, seconds=120):
        """Brings `path` back to the same place outside."""
        self.send("G", os.fsencode(path))
        receiver = _Receiver()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for kind, payload in self.frames(deadline - time.monotonic()):
                if kind == "F":
                    receiver.entry(payload)
                elif kind == "D":
                    receiver.data(payload)
                elif kind == "g":
                    receiver.finish()
                    if payload:
                        raise ToolError(f"--fetch: {payload.decode(errors='replace')}")
                    return
        raise HostLost(f"fetching {path} took more than {seconds} s")


class _Receiver:
    def __init__(self):
        self._file = None
        self._path = None
        self._status = None

    def entry(self, payload):
        self.finish()
        mode, _, mtime_ns, path_size, _ = _ENTRY.unpack_from(payload)
        name = payload[_ENTRY.size:_ENTRY.size + path_size]
        target = payload[_ENTRY.size + path_size:]
        path = os.fsdecode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
            return
        if os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)
        if stat.S_ISLNK(mode):
            os.symlink(os.fsdecode(target), path)
            return
        self._file = open(path, "wb")  # pylint: disable=consider-using-with
        self._path, self._status = path, (mode, mtime_ns)

    def data(self, payload):
        self._file.write(payload)

    def finish(self):
        if self._file is None:
            return
        self._file.close()
        mode, mtime_ns = self._status
        os.chmod(self._path, stat.S_IMODE(mode))
        os.utime(self._path, ns=(mtime_ns, mtime_ns))
        self._file = None


def connect(folder, name):
    """To a unix socket in `folder`, however long that path is."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{handle}/{name}")
    except OSError as error:
        connection.close()
        raise HostLost(str(error)) from error
    finally:
        os.close(handle)
    return connection
