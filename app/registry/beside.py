"""Two versions side by side: facts, settings, metrics, features and environment, what differs first."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.registry.differences import figure
from app.registry.looks import STAGE_WORDS
from app.theme import palette
from mlops_core.monitoring.findings import statistic_name
from mlops_core.registry.side_by_side import Pair, SideBySide
from mlops_core.registry.version_view import VersionView

__all__ = ["draw_beside"]

_MOST_PIXELS = 380
_FEW_PIXELS = 136  # where nothing differs, there is little to read


def draw_beside(found: SideBySide) -> None:
    """Draw both versions; what differs is marked and stands first."""
    names = _name(found.first, found.second), _name(found.second, found.first)
    left, right = st.columns(2, gap="medium")
    with left:
        facts = _facts(found)
        st.markdown(f"**{_title('fact', facts)}**")
        _draw_pairs(facts, names, "registry_beside_facts")
        st.markdown(f"**{_features_title(found)}**")
        _draw_features(found, names)
    with right:
        st.markdown(f"**{_title('hyper-parameter', found.hyper_parameters)}**")
        _draw_pairs(found.hyper_parameters, names, "registry_beside_parameters")
        st.markdown(f"**{_title('package', found.environment)}**")
        _draw_pairs(found.environment, names, "registry_beside_environment")


def _name(one: VersionView, other: VersionView) -> str:
    return f"v{one.version.number}" if one.model.name == other.model.name else one.label


def _facts(found: SideBySide) -> list[Pair]:
    first, second = _facts_of(found.first), _facts_of(found.second)
    pairs = [Pair(name, first[name], second[name]) for name in first]
    pairs += [
        Pair(f"{statistic_name(name)}, {data}", figure(mine), figure(other))
        for name, data, mine, other in found.metrics
    ]
    return pairs


def _facts_of(one: VersionView) -> dict[str, str]:
    version = one.version
    training = one.training[0] if one.training else None
    return {
        "Stage": STAGE_WORDS[one.stage] + (" · champion" if one.is_champion else ""),
        "Author": one.author,
        "Registered": f"{version.created_at:%d %b %Y}",
        "Estimator": version.estimator,
        "Trained on": f"{training.table_name}@{training.version}" if training else "—",
        "Training rows": f"{training.rows:,}" if training else "—",
        "Columns": f"{len(version.columns)}",
        "Artefact": f"{version.artefact_bytes / 1024:,.0f} KiB" if version.artefact_digest else "elsewhere",
        "Commit": version.git_commit[:10] + (" + changes" if version.git_dirty else ""),
    }


def _title(word: str, pairs: Sequence[Pair]) -> str:
    if not pairs:
        return f"No {word} is recorded for either"
    count = sum(pair.differs for pair in pairs)
    if not count:
        return f"Both have the same {len(pairs)} {word}s"
    return f"{count} of {len(pairs)} {word}s {'differs' if count == 1 else 'differ'}"


def _draw_pairs(pairs: Sequence[Pair], names: tuple[str, str], key: str) -> None:
    if not pairs:
        return
    frame = pd.DataFrame(
        {
            "mark": ["≠" if pair.differs else "" for pair in pairs],
            "name": [pair.name for pair in pairs],
            "first": [pair.first or "—" for pair in pairs],
            "second": [pair.second or "—" for pair in pairs],
        }
    )
    marked = f"background-color: {palette().window_band}; font-weight: 600"
    css = [marked if pair.differs else "" for pair in pairs]
    st.dataframe(
        frame.style.apply(lambda _: css),
        hide_index=True,
        column_config={
            "mark": st.column_config.TextColumn("", width=28, help="What differs"),
            "name": st.column_config.TextColumn("", width=190),
            "first": st.column_config.TextColumn(names[0], width=190),
            "second": st.column_config.TextColumn(names[1], width=190),
        },
        row_height=ROW_PIXELS,
        height=min(
            ROW_PIXELS * (len(pairs) + 1) + 4,
            _MOST_PIXELS if any(pair.differs for pair in pairs) else _FEW_PIXELS,
        ),
        key=key,
        alt=f"{names[0]} and {names[1]} side by side",
    )


def _features_title(found: SideBySide) -> str:
    if not found.only_first and not found.only_second:
        return f"Both use the same {len(found.both)} columns"
    added, dropped = len(found.only_first), len(found.only_second)
    return f"{len(found.both)} columns in common, {added} added, {dropped} dropped"


def _draw_features(found: SideBySide, names: tuple[str, str]) -> None:
    for sign, name, columns in (
        ("add", names[0], found.only_first),
        ("remove", names[1], found.only_second),
    ):
        if columns:
            st.markdown(f":material/{sign}: Only in {plain(name)}: {' '.join(f'`{one}`' for one in columns)}")
