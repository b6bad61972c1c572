"""Landlock, Linux's way for a process to give up rights for good (docs.kernel.org/userspace-api/landlock)."""

import ctypes
import os
import struct
import sys
from typing import Final

__all__ = ["deny_writing"]

_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_REMOVE_AND_MAKE: Final = sum(1 << bit for bit in range(4, 13))
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_BIND_AND_CONNECT: Final = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 0b11


def deny_writing() -> bool:
    """Give up writing, making and removing files, starting programs, TCP, and signals to other processes.

    What is open stays open, and files can be read. It takes `PR_SET_NO_NEW_PRIVS` first.

    Returns
    -------
    bool
        Whether the kernel knows Landlock and holds this process to it; an older one (before 5.13) does not,
        and one before 6.7 or 6.12 knows no rule for TCP or for signals.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None).syscall
    version = system(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        return False
    files = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE
    files |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rules = struct.pack("=Q", files)
    if version >= 4:
        rules += struct.pack("=Q", _BIND_AND_CONNECT)
    if version >= 6:
        rules += struct.pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    ruleset = system(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return False
    try:
        return bool(system(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
