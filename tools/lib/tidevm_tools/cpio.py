"""Writes initramfs archives (cpio "newc") with no need of root: every owner is root, every time is
0, entries are sorted, so that the same input gives the same bytes."""

import stat


class Archive:
    def __init__(self):
        self._entries = {}

    def folder(self, path, mode=0o755):
        path = path.strip("/")
        if path:
            self._parents(path)
            self._entries[path] = (stat.S_IFDIR | mode, b"")

    def file(self, path, content, mode=0o644):
        path = path.strip("/")
        self._parents(path)
        self._entries[path] = (stat.S_IFREG | mode, content)

    def link(self, path, target):
        path = path.strip("/")
        self._parents(path)
        self._entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def to_bytes(self):
        parts = []
        for number, path in enumerate(sorted(self._entries), start=1):
            mode, content = self._entries[path]
            parts.append(_entry(number, path, mode, content))
        parts.append(_entry(0, "TRAILER!!!", 0, b""))
        return b"".join(parts)

    def _parents(self, path):
        parent = path.rpartition("/")[0]
        if parent and parent not in self._entries:
            self.folder(parent)


def _entry(inode, path, mode, content):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + name) + _pad(content)


def _pad(data):
    return data + b"\0" * (-len(data) % 4)
