"""The demo: a department on a year of real purchases, built through the public calls alone."""

from mlops_core.demo.build import DEMO_BANNER, BuildProgress, build_demo, demo_is_complete

__all__ = ["DEMO_BANNER", "BuildProgress", "build_demo", "demo_is_complete"]
