"""The report of a table as one HTML page, which loads nothing from anywhere."""

from base64 import b64encode
from dataclasses import dataclass
from importlib import resources

import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from matplotlib.figure import Figure

from terna import __version__
from terna.training.exploration.findings import find_all
from terna.training.exploration.profile import ColumnProfile, profile_columns, split_target
from terna.training.identifiers import MIN_CUSTOMERS
from terna.training.job import MAX_CLASSES
from terna.training.plots import style
from terna.training.plots import table as plots

MAX_ROWS_DRAWN = 20_000
MAX_FEATURES_DRAWN = 40


@dataclass(frozen=True)
class Image:
    """An image inside the page, as a data URL; width in CSS pixels."""

    data: str
    width: int
    alt: str


def render(title: str, source: str, table: pd.DataFrame, target: str) -> str:
    """Render the report as one self-contained HTML page.

    Args:
        source: where the table came from, for people.
        table: shape (rows, columns), the target among them.

    Raises:
        DataError: the target is no column of the table, is empty, or columns share a name.
    """
    columns, classes = split_target(table, target)
    sample = columns.sample(min(len(columns), MAX_ROWS_DRAWN), random_state=0)
    profiles = profile_columns(columns, sample, classes[sample.index])
    drawn = [profile for profile in profiles if profile.drawable][:MAX_FEATURES_DRAWN]
    unlabelled = len(table) - len(classes)
    return _template().render(
        title=title,
        source=source,
        target=target,
        rows=len(classes),
        rows_drawn=len(sample),
        classes=_class_counts(classes),
        class_count=classes.nunique(),
        features=profiles,
        drawn=drawn,
        undrawn=sum(profile.drawable for profile in profiles) - len(drawn),
        strongest=max((profile.relation for profile in profiles), default=0.0) or 1.0,
        balance=_embed(plots.class_balance(classes), f"Rows of each class of {target}"),
        missing=_embed_any(plots.missing(columns), "Share of missing values per column"),
        distributions=_draw_distributions(sample, classes, drawn, target),
        correlations=_draw_correlations(sample, drawn),
        findings=find_all(target, unlabelled, classes, profiles, sample),
        share=style.format_share,
        min_customers=MIN_CUSTOMERS,
        label=style.label,
        version=__version__,
    )


def _class_counts(classes: pd.Series) -> list[tuple[str, int, float]]:
    """List name, rows and share (0..1) of each class, in the classes' own order."""
    counts = classes.value_counts(sort=False).head(MAX_CLASSES)
    return [(str(name), count, count / len(classes)) for name, count in counts.items()]


def _draw_distributions(
    sample: pd.DataFrame, classes: pd.Series, drawn: list[ColumnProfile], target: str
) -> list[Image]:
    names = [profile.name for profile in drawn]
    figures = plots.distributions(sample[names], classes[sample.index])
    pairs = zip(figures, names, strict=True)
    return [_embed(figure, f"{name} by {target}") for figure, name in pairs]


def _draw_correlations(sample: pd.DataFrame, drawn: list[ColumnProfile]) -> Image | None:
    figure = plots.correlations(sample[[profile.name for profile in drawn]])
    return _embed_any(figure, "Rank correlations between the numeric columns")


def _embed_any(figure: Figure | None, alt: str) -> Image | None:
    return None if figure is None else _embed(figure, alt)


def _embed(figure: Figure, alt: str) -> Image:
    data = b64encode(style.png(figure)).decode("ascii")
    width = round(figure.get_figwidth() * style.PIXELS_PER_INCH)
    return Image(f"data:image/png;base64,{data}", width, alt)


def _template() -> Template:
    page = resources.files(__package__).joinpath("report.html").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(page)
