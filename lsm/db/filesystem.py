"""Where a database file lies: on a disk of this machine, across a network, in a synced folder.

SQLite's log needs shared memory and locks that a network does not give, and a program that copies
the file to a cloud while it is being written copies a broken one.
"""

from __future__ import annotations

import os
import re
import sys

_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")
_MAC_MOUNT = re.compile(r".* on (.+) \((\w+)[,)]")
# Names of file systems that reach another machine, or the host of a virtual one.
_REMOTE = re.compile(
    r"(nfs4?|cifs|smb[23]?|smbfs|9p|virtiofs|vboxsf|vmhgfs|prl_fs|afs|ceph|glusterfs|lustre|davfs"
    r"|webdav|afpfs|ncpfs|gpfs|beegfs|ocfs2|gfs2|orangefs|pvfs2|drvfs|fuse\..*)\Z"
)
# Of a component of the path: folders that programs keep equal between machines.
_SYNCED = re.compile(
    r"(Dropbox( \(.+\))?|OneDrive( - .+)?|Google ?Drive|My Drive|iCloud ?Drive|Mobile Documents"
    r"|CloudStorage|pCloud ?Drive|MEGA|Nextcloud|ownCloud|Box Sync|Proton ?Drive)\Z"
)
_MARKS = {".stfolder": "Syncthing", ".dropbox.cache": "Dropbox", ".owncloudsync.log": "ownCloud"}


def file_system(path: str) -> str:
    """The kind of file system that *path*'s folder is on, such as ``ext4``; "" if unknown."""
    place = os.path.realpath(path)
    best, kind = "", ""
    for mount, found in _mounts():
        below = place == mount or place.startswith(mount.rstrip("/") + "/")
        if below and len(mount) >= len(best):  # the last of several on one place hides the others
            best, kind = mount, found
    return kind


def place_problem(path: str) -> str | None:
    """Why a database at *path* is in danger there, as a sentence; None if nothing is known."""
    kind = file_system(path)
    if _REMOTE.match(kind):
        return f"it lies on {kind}, where SQLite's locks and shared memory cannot be relied on"
    synced = _synced_by(os.path.realpath(path))
    if synced:
        return f"{synced} copies this folder while it is being written, which breaks the copy"
    return None


def _synced_by(path: str) -> str | None:
    folder = os.path.dirname(path)
    while True:
        if (part := os.path.basename(folder)) and _SYNCED.match(part):
            return part
        for mark, program in _MARKS.items():
            if os.path.lexists(os.path.join(folder, mark)):
                return program
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _mounts() -> list[tuple[str, str]]:
    """Mount points and their kinds, in the order they were mounted."""
    if sys.platform == "darwin":
        return _mac_mounts()
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            return [_mount(line) for line in lines]
    except OSError:
        return []  # Windows and others: nothing is said rather than guessed


def _mount(line: str) -> tuple[str, str]:
    # 36 35 98:0 /root /mount/point options - ext4 /dev/sda1 options
    fields, _, rest = line.partition(" - ")
    point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields.split(" ")[4])
    return point, rest.split(" ", 1)[0]


def _mac_mounts() -> list[tuple[str, str]]:
    import subprocess

    done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False)
    found = map(_MAC_MOUNT.match, done.stdout.splitlines())
    return [(match[1], match[2]) for match in found if match]
