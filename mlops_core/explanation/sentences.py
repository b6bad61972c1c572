"""What moved in a column, in a sentence that a director can repeat."""

from mlops_core.explanation.moves import Part, PartKind, moved_part
from mlops_core.explanation.results import Move
from mlops_core.explanation.shapes import constant_value, shifted_median, unit_factor
from mlops_core.explanation.wording import (
    ALL_VALUES,
    Setting,
    name_text,
    number_text,
    part_label,
    part_moved,
    sentence_start,
    share_text,
)
from mlops_core.slices import CategoricalCounts, CategoricalGrid, Counts, Grid, NumericCounts

__all__ = ["describe_move"]

_MOST_NAMED = 3
_RENAMED = 0.8  # so much of the larger of two moves, at least, is the smaller one


def describe_move(
    column: str, grid: Grid, before: Counts, after: Counts, setting: Setting, *, drifted: bool
) -> tuple[Part, Move] | None:
    """Return the part of a column that moved, and what happened to it; None where no row has moved.

    Accidents (another unit, one value for all rows) are looked for in a column that drifted alone.
    """
    part = moved_part(before, after, grid)
    if part is None:
        return None
    rows = part.rows_in(after)
    move = Move(
        label=part_label(part, grid, before, after),
        before=part.rows_in(before) / before.rows,
        after=rows / after.rows,
        rows=rows,
        sentence="",
    )
    sentence = _accident(column, grid, before, after, part, setting) if drifted else None
    if sentence is None:
        sentence = _plain(column, grid, before, after, part, move, setting)
    return part, Move(move.label, move.before, move.after, move.rows, sentence)


def _accident(
    column: str, grid: Grid, before: Counts, after: Counts, part: Part, setting: Setting
) -> str | None:
    name, since = name_text(column), setting.since_text
    if after.missing == after.rows:
        return (
            f"{sentence_start(name)} is missing in all {setting.predictions}{since} (n = {after.rows:,}), "
            f"{share_text(before.missing / before.rows)} before."
        )
    factor = unit_factor(before, after)
    if factor is not None:
        size = (
            f"about {number_text(factor)} times as large"
            if factor > 1
            else f"about 1/{number_text(round(1 / factor))} as large"
        )
        n = after.rows - after.missing
        return f"All values of {name} are {size}{since} (n = {n:,}): a change of unit?"
    value = constant_value(before, after, grid)
    if value is None:
        return None
    known = after.rows - after.missing
    always = f"{sentence_start(name)} is always "
    gaps = share_text(after.missing / after.rows)
    missing = f" where it is not missing ({gaps} is)" if after.missing else ""
    if isinstance(value, float) and isinstance(before, NumericCounts):
        low, high = number_text(before.minimum), number_text(before.maximum)
        past = f"lay between {low} and {high}" if low != high else f"was {low}"
        return f"{always}{number_text(value)}{missing}{since} (n = {known:,}); before, it {past}."
    share = share_text(_share_of_value(before, grid, str(value)))
    return f"{always}{value}{missing}{since} (n = {known:,}), in {share} of {setting.predictions} before."


def _plain(
    column: str, grid: Grid, before: Counts, after: Counts, part: Part, move: Move, setting: Setting
) -> str:
    n = f"(n = {move.rows:,})"
    first, second = share_text(move.before), share_text(move.after)
    match part.kind:
        case PartKind.MISSING | PartKind.INFINITE:
            return (
                f"{sentence_start(name_text(column))} is {part.kind} in {second} of {setting.predictions}"
                f"{setting.since_text} {n}, {first} before."
            )
        case PartKind.UNSEEN:
            return _unseen(column, grid, before, after, move, setting)
        case PartKind.RANGE if move.label == ALL_VALUES:
            return (
                f"{sentence_start(name_text(column))} has a value in {second} of {setting.predictions}"
                f"{setting.since_text} {n}, in {first} before."
            )
    if first == second:
        change = f"stayed at {second}"
    else:
        change = f"{'rose' if move.after > move.before else 'fell'} from {first} to {second}"
    moved = f"{part_moved(column, part, move.label, change, setting)}{setting.since_text} {n}"
    medians = shifted_median(before, after, grid) if setting.since else None
    if medians is None:
        return f"{moved}."
    low, high = (number_text(one) for one in medians)
    return f"{moved}; the median {'rose' if medians[1] > medians[0] else 'fell'} from {low} to {high}."


def _unseen(column: str, grid: Grid, before: Counts, after: Counts, move: Move, setting: Setting) -> str:
    """Name the unseen values, and the known one that went as they came."""
    name, second = sentence_start(name_text(column)), share_text(move.after)
    if not isinstance(after, CategoricalCounts) or not isinstance(before, CategoricalCounts):
        return ""
    if move.after < move.before:
        return (
            f"{name} holds values that the reference does not know in {second} of {setting.predictions}"
            f"{setting.since_text} (n = {move.rows:,}), {share_text(move.before)} before."
        )
    ranked = sorted(after.unseen, key=lambda value: (-after.unseen[value], value))
    named = ", ".join(f"'{value}'" for value in ranked[:_MOST_NAMED])
    more = len(ranked) - _MOST_NAMED
    if more > 0 or after.unseen_other:
        named += f" and {more:,} more" if not after.unseen_other else " and many more"
    many = "a new value" if len(ranked) == 1 and not after.unseen_other else "new values"
    sentence = (
        f"{name} holds {many}, {named}, in {second} of {setting.predictions}{setting.since_text} "
        f"(n = {move.rows:,})"
    )
    gone = _gone(grid, before, after, move.after - move.before)
    return f"{sentence}; {gone}" if gone else f"{sentence}."


def _gone(grid: Grid, before: CategoricalCounts, after: CategoricalCounts, risen: float) -> str:
    """Say which known value fell about as much as unseen ones rose: it may have a new name."""
    if not isinstance(grid, CategoricalGrid) or not grid.n_cells:
        return ""
    first, second = before.known / before.rows, after.known / after.rows
    place = int((first * (1 - risen) - second).argmax())  # it would have made room for them like the others
    fallen = float(first[place] - second[place])
    room = float(first[place]) * risen  # so much it falls where others come, whatever they are
    if min(fallen, risen) < _RENAMED * max(fallen, risen) or fallen - room <= (risen - room) / 2:
        return ""
    name = "new names" if len(after.unseen) > 1 else "a new name"
    return (
        f"'{grid.categories[place]}' fell from {share_text(float(first[place]))} to "
        f"{share_text(float(second[place]))}: {name}?"
    )


def _share_of_value(counts: Counts, grid: Grid, value: str) -> float:
    if not isinstance(counts, CategoricalCounts) or not isinstance(grid, CategoricalGrid):
        return 0.0
    if value in grid.categories:
        return float(counts.known[grid.categories.index(value)]) / counts.rows
    return counts.unseen.get(value, 0) / counts.rows
