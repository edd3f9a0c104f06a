"""Phase 2, explore: one page that says what is in a table, before a model is trained on it.

The page describes columns and shows no customer: values that occur once and columns that look
like identifiers are counted but never printed.
"""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.api.types import is_any_real_numeric_dtype
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from terna import __version__
from terna.errors import DataError
from terna.training.job import Job
from terna.training.plots import style
from terna.training.plots import table as plots
from terna.training.session import Session

ROWS_DRAWN = 20_000
FEATURES_DRAWN = 40
CATEGORIES_LISTED = 4
BINS = 10
"""A number with more distinct values is cut into this many equally full bins to relate it."""

FEWEST_TO_JUDGE = 20
"""With fewer values a column of distinct values proves nothing."""
TEXT_IDENTIFIER = 0.5
"""A text column with a larger share of distinct values names customers, or is prose."""
MUCH_MISSING = 0.3
SAME_THING = 0.95
GIVES_AWAY = 0.8
NUMBERS_AS_TEXT = 0.95
IMBALANCE = 5
FEWEST_OF_A_CLASS = 10
MOST_CLASSES = 50


@dataclass(frozen=True)
class Feature:
    """One column in a line."""

    name: str
    kind: str
    missing: float
    """Share of rows, 0..1."""
    distinct: int
    """Distinct values, missing ones left out."""
    relation: float
    """Share of the target's entropy that the column takes away, beyond chance, 0..1."""
    identifier: bool
    numbers_as_text: bool
    spread: tuple[str, ...] = ()
    """Minimum, median and maximum of a number."""
    categories: tuple[tuple[str, str], ...] = ()
    """The most frequent categories of a text, each with its share of the known rows."""

    @property
    def drawable(self) -> bool:
        return self.distinct > 1 and not (self.identifier and self.kind == "text")


@dataclass(frozen=True)
class Remark:
    """Something worth knowing: a sentence, and what it is about."""

    topic: str
    sentence: str
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """An image that travels inside the page; width in CSS pixels."""

    data: str
    width: int
    alt: str


def run(session: Session) -> None:
    """Keep the report of the training rows in the workspace and in the MLflow run.

    Raises:
        PhaseMissing: `acquire` has not run.
    """
    job = Job.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    with session.reporter.step(f"exploring {session.name}"):
        page = render(session.name, f"{job.source}, training rows", table, job.target).encode()
        session.workspace.write_bytes("explore.html", page)
        session.runs.log_file(job.run_id, "explore/explore.html", page)
    session.reporter.say(f"explored   {session.workspace.folder / 'explore.html'}")


def render(title: str, source: str, table: pd.DataFrame, target: str) -> str:
    """The report as one self-contained HTML page.

    table: (rows, columns), the target among them; source: where the table came from, for people.

    Raises:
        DataError: the target is no column of the table, is empty, or columns share a name.
    """
    columns, classes = _split(table, target)
    sample = columns.sample(min(len(columns), ROWS_DRAWN), random_state=0)
    features = _strongest_first(columns, sample, classes[sample.index])
    drawn = [feature for feature in features if feature.drawable][:FEATURES_DRAWN]
    return _template().render(
        title=title,
        source=source,
        target=target,
        rows=len(classes),
        rows_drawn=len(sample),
        classes=_class_facts(classes),
        class_count=classes.nunique(),
        features=features,
        drawn=drawn,
        undrawn=sum(feature.drawable for feature in features) - len(drawn),
        strongest=max((feature.relation for feature in features), default=0.0) or 1.0,
        balance=_picture(plots.class_balance(classes), f"Rows of each class of {target}"),
        missing=_picture(plots.missing(columns), "Share of missing values per column"),
        distributions=_draw_distributions(sample, classes, drawn, target),
        correlations=_draw_correlations(sample, drawn),
        remarks=list(_remarks(table, target, features, classes, sample)),
        share=style.share_text,
        label=style.label,
        version=__version__,
    )


def _split(table: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """The features as plain columns, and the classes, of the rows whose target is known."""
    named = table.set_axis([str(name) for name in table.columns], axis=1)
    _check(named, target)
    known = named[named[target].notna()].reset_index(drop=True)
    columns = {name: _plain(column) for name, column in known.items() if name != target}
    return pd.DataFrame(columns, index=known.index), plots.as_classes(known[target])


def _check(table: pd.DataFrame, target: str) -> None:
    if target not in table.columns:
        raise DataError(f"The table has no column '{target}': choose the target among its columns.")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"Several columns are called '{twice[0]}': rename all but one.")
    if table[target].isna().all():
        raise DataError(f"The target '{target}' has no value in any row: choose another column.")


def _plain(column: pd.Series) -> pd.Series:
    """Numbers as they are, and everything else as text."""
    return column if is_any_real_numeric_dtype(column.dtype) else column.astype("str")


def _strongest_first(
    columns: pd.DataFrame, sample: pd.DataFrame, classes: pd.Series
) -> list[Feature]:
    codes = classes.cat.codes.to_numpy()
    features = [_describe(name, column, sample[name], codes) for name, column in columns.items()]
    return sorted(features, key=lambda feature: -feature.relation)


def _describe(
    name: object, column: pd.Series, sample: pd.Series, classes: NDArray[np.integer]
) -> Feature:
    known = column.dropna()
    distinct = known.nunique()
    is_number = is_any_real_numeric_dtype(column.dtype)
    identifier = _looks_like_identifier(known, distinct)
    return Feature(
        name=str(name),
        kind="number" if is_number else "text",
        missing=float(column.isna().mean()),
        distinct=distinct,
        relation=_relation(sample, classes),
        identifier=identifier,
        numbers_as_text=not is_number and _reads_as_numbers(sample.dropna()),
        spread=_spread(known) if is_number and not identifier else (),
        categories=_top_categories(known) if not is_number and not identifier else (),
    )


def _looks_like_identifier(known: pd.Series, distinct: int) -> bool:
    """Whole numbers that never repeat, or texts that seldom do."""
    if len(known) < FEWEST_TO_JUDGE:
        return False
    if is_any_real_numeric_dtype(known.dtype):
        return distinct == len(known) and bool((known % 1 == 0).all())
    return distinct > TEXT_IDENTIFIER * len(known)


def _reads_as_numbers(texts: pd.Series) -> bool:
    readable = pd.to_numeric(texts, errors="coerce").notna()
    return not texts.empty and bool(readable.mean() > NUMBERS_AS_TEXT)


def _spread(known: pd.Series) -> tuple[str, ...]:
    if known.empty:
        return ()
    return tuple(_number_text(float(each)) for each in (known.min(), known.median(), known.max()))


def _top_categories(known: pd.Series) -> tuple[tuple[str, str], ...]:
    """The most frequent categories; one that occurs once could be a person and stays unnamed."""
    counts = known.value_counts()
    top = counts[counts > 1].head(CATEGORIES_LISTED)
    return tuple(
        (style.label(name, 40), style.share_text(count / len(known))) for name, count in top.items()
    )


def _number_text(number: float) -> str:
    if 1000 <= abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:.4g}"


def _relation(column: pd.Series, classes: NDArray[np.integer]) -> float:
    """The uncertainty coefficient (Theil's U) of the classes given the column, beyond chance.

    column: (rows,); classes: (rows,) codes. Mutual information over the classes' entropy, with
    the mutual information expected of a shuffled column taken off both: an identifier gets 0.
    """
    table = contingency_matrix(classes, _bins(column), sparse=True)
    by_chance = expected_mutual_information(table, len(classes))
    possible = mutual_info_score(classes, classes) - by_chance
    if possible < 1e-9:
        return 0.0
    shared = mutual_info_score(None, None, contingency=table) - by_chance
    return float(np.clip(shared / possible, 0, 1))


def _bins(column: pd.Series) -> NDArray[np.integer]:
    """Codes of the column's values or bins, with a code of their own for missing values."""
    if is_any_real_numeric_dtype(column.dtype) and column.nunique() > BINS:
        return pd.factorize(_tenths(column))[0]
    return pd.factorize(column)[0]


def _tenths(column: pd.Series) -> pd.Series:
    """The tenth of the ranks that each value falls in, 1..10; equal values share one."""
    return (column.rank(pct=True) * BINS).apply(np.ceil)


def _class_facts(classes: pd.Series) -> list[tuple[str, int, float]]:
    counts = classes.value_counts(sort=False).head(MOST_CLASSES)
    return [(str(name), count, count / len(classes)) for name, count in counts.items()]


def _draw_distributions(
    sample: pd.DataFrame, classes: pd.Series, drawn: list[Feature], target: str
) -> list[Picture]:
    names = [feature.name for feature in drawn]
    figures = plots.distributions(sample[names], classes[sample.index])
    pairs = zip(figures, names, strict=True)
    return [_embed(figure, f"{name} by {target}") for figure, name in pairs]


def _draw_correlations(sample: pd.DataFrame, drawn: list[Feature]) -> Picture | None:
    figure = plots.correlations(sample[[feature.name for feature in drawn]])
    return _picture(figure, "Rank correlations between the numeric columns")


def _picture(figure: Figure | None, alt: str) -> Picture | None:
    return None if figure is None else _embed(figure, alt)


def _embed(figure: Figure, alt: str) -> Picture:
    data = b64encode(style.png(figure)).decode("ascii")
    width = round(figure.get_figwidth() * style.PIXELS_PER_INCH)
    return Picture(f"data:image/png;base64,{data}", width, alt)


def _remarks(
    table: pd.DataFrame,
    target: str,
    features: list[Feature],
    classes: pd.Series,
    sample: pd.DataFrame,
) -> Iterator[Remark]:
    yield from _remarks_on_target(len(table) - len(classes), target, classes)
    yield from _remarks_on_features(features)
    yield from _remarks_on_pairs(sample)


def _remarks_on_target(unlabelled: int, target: str, classes: pd.Series) -> Iterator[Remark]:
    counts = classes.value_counts()
    most, least = counts.index[0], counts.index[-1]
    if unlabelled:
        yield Remark(
            "Rows without a target",
            f"{unlabelled:,} rows have no value of {target}: this report leaves them out.",
        )
    if len(counts) == 1:
        yield Remark("One class only", "There is nothing to tell apart.")
    if len(counts) > MOST_CLASSES:
        yield Remark(
            "Many classes",
            f"{target} has {len(counts):,} distinct values: is it a number to estimate rather than"
            " a class to predict?",
        )
    if counts.iloc[0] >= IMBALANCE * counts.iloc[-1]:
        yield Remark(
            "Strong imbalance",
            f"{most} is {counts.iloc[0] / counts.iloc[-1]:.1f} times as frequent as {least}, and"
            f" always answering {most} is right for {counts.iloc[0] / len(classes):.1%} of the"
            " rows. Accuracy hides how the rare classes fare: look at their precision, recall"
            " and F1.",
        )
    rare = counts[counts < FEWEST_OF_A_CLASS]
    if len(rare):
        yield Remark(
            "Rare classes",
            f"Fewer than {FEWEST_OF_A_CLASS} rows each: too few to learn from and to be judged by.",
            tuple(f"{name} ({count})" for name, count in rare.items()),
        )


def _remarks_on_features(features: list[Feature]) -> Iterator[Remark]:
    yield from _if_any(
        "Nearly gives the target away",
        f"Takes away more than {GIVES_AWAY:.0%} of the target's entropy: wonderful if it is known"
        " before the target is, and a leak otherwise.",
        [feature for feature in features if feature.relation > GIVES_AWAY],
    )
    yield from _if_any(
        "Looks like an identifier",
        "Values hardly ever repeat, so a model can only learn them by heart. Its values are not"
        " listed.",
        [feature for feature in features if feature.identifier],
    )
    yield from _if_any(
        "Numbers written as text",
        "Nearly all values read as numbers: should the column be one?",
        [feature for feature in features if feature.numbers_as_text],
    )
    yield from _if_any(
        "Constant",
        "One value only: a model learns nothing from it.",
        [feature for feature in features if feature.distinct == 1],
    )
    yield from _if_any(
        "Empty",
        "Every value is missing.",
        [feature for feature in features if feature.distinct == 0],
    )
    yield from _if_any(
        "Much is missing",
        f"More than {MUCH_MISSING:.0%} of the rows have no value.",
        [feature for feature in features if MUCH_MISSING < feature.missing < 1],
        "missing",
    )


def _if_any(
    topic: str, sentence: str, features: list[Feature], figure: str = ""
) -> Iterator[Remark]:
    if features:
        yield Remark(topic, sentence, tuple(_subject(feature, figure) for feature in features))


def _subject(feature: Feature, figure: str) -> str:
    return f"{feature.name} ({style.share_text(feature.missing)})" if figure else feature.name


def _remarks_on_pairs(sample: pd.DataFrame) -> Iterator[Remark]:
    ranks = plots.spearman(sample)
    upper = np.triu(ranks.abs().fillna(0).to_numpy(), k=1)
    rows, others = np.nonzero(upper > SAME_THING)
    if len(rows):
        strongest = np.argsort(-upper[rows, others], kind="stable")
        yield Remark(
            "Nearly the same thing twice",
            f"Rank correlation beyond ±{SAME_THING}: one column of each pair would do.",
            tuple(_pair(ranks, rows[each], others[each]) for each in strongest),
        )


def _pair(ranks: pd.DataFrame, row: int, other: int) -> str:
    value = float(ranks.to_numpy()[row, other])
    return f"{ranks.columns[row]} & {ranks.columns[other]} ({value:+.3f})"


def _template() -> Template:
    page = resources.files(__package__).joinpath("explore_report.html").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(page)
