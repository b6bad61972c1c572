"""Where the console's own files are: the repository, or the folder that the wheel brought along."""

from pathlib import Path

__all__ = ["console_root"]


def console_root() -> Path:
    """Return the folder that holds `app`, `pages`, `data` and `.streamlit`."""
    package = Path(__file__).resolve().parent
    installed = package / "_console"
    return installed if installed.is_dir() else package.parent
