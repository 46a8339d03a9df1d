"""System calls that a submission never needs, and that would reach past its walls."""

import errno
from contextlib import suppress

from moelib._extras import load

DENIED = {
    "the kernel's key rings, which all processes of a user share": (
        "add_key",
        "keyctl",
        "request_key",
    ),
    "memory that is counted for no process": (
        "memfd_create",
        "memfd_secret",
        "msgget",
        "semget",
        "shmget",
    ),
    "new namespaces and mounts: walls of one's own": (
        "chroot",
        "fsmount",
        "fsopen",
        "mount",
        "move_mount",
        "open_tree",
        "pivot_root",
        "setns",
        "umount2",
        "unshare",
    ),
    "other processes, and the kernel itself": (
        "bpf",
        "io_uring_setup",
        "kcmp",
        "open_by_handle_at",
        "perf_event_open",
        "pidfd_getfd",
        "pidfd_open",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "userfaultfd",
    ),
    "processors that are given to others": ("sched_setaffinity",),
}
NEW_USER = 0x10000000  # CLONE_NEWUSER: a process with a user namespace of its own


def write_filter(file) -> None:
    """Write the filter that bubblewrap hands to the kernel.

    Parameters
    ----------
    file : binary file
        Open for writing. ``ImportError`` or ``RuntimeError`` where libseccomp is missing.
    """
    seccomp = load("pyseccomp", "grading")
    refused = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for names in DENIED.values():
        for name in names:
            with suppress(ValueError):  # newer than the libseccomp here, which refuses it by name
                rules.add_rule(refused, name)
    rules.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, NEW_USER, NEW_USER))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags cannot be seen: use clone
    rules.export_bpf(file)
    file.seek(0)
