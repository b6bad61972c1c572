"""Which commit of the project a version was trained from."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CommitState", "commit_state"]


@dataclass(frozen=True, slots=True)
class CommitState:
    """The commit that is checked out, empty outside a repository, and whether files differ from it."""

    commit: str
    dirty: bool


def commit_state(folder: Path) -> CommitState:
    """Ask git about a folder; without git or a repository the commit is empty."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return CommitState("", dirty=False)
    return CommitState(commit, dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")))


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and arguments that are no user's text
            [git, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
