"""Cox models against the tables of those who published them; the data come with lifelines.

Rossi: Fox J (2002), Cox Proportional-Hazards Regression for Survival Data, appendix to An R and S-PLUS Companion.
Freireich: Venables WN, Ripley BD, Modern Applied Statistics with S, 4th ed., section 13.3 (6-MP alone); with log white
cells, as R prints it for Kleinbaum DG, Klein M, Survival Analysis, 3rd ed., computer appendix.
Stanford heart transplants, lung: as R's package survival prints them. Breast cancer: Everitt BS, Hothorn T, A Handbook
of Statistical Analyses Using R, chapter 9. Larynx: the data of Klein JP, Moeschberger ML, Survival Analysis, 2nd ed.,
section 8.4, as R's coxph prints them for the package KMsurv; the book's own numbers (0.1386 for stage II) have
Breslow's ties.
"""

import warnings

import polars as pl
import pytest

from crmlab.measures import cox

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifelines import datasets

GRADE = pl.col("tgrade").replace_strict({"I": -1, "II": 0, "III": 1})
BREAST = {  # R's contrasts of an ordered factor: linear and quadratic
    "horTh": pl.col("horTh") == "yes",
    "menostat": pl.col("menostat") == "Post",
    "linear": GRADE / 2**0.5,
    "quadratic": (3 * GRADE**2 - 2) / 6**0.5,
}


def table(name: str) -> pl.DataFrame:
    return pl.from_pandas(getattr(datasets, f"load_{name}")())


@pytest.mark.parametrize(
    ("rows", "columns", "published", "digits"),
    [
        (
            table("rossi"),
            {"duration": "week", "event": "arrest"},
            {
                "fin": (-0.3794, 0.1914), "age": (-0.0574, 0.0220), "race": (0.3139, 0.3080),
                "wexp": (-0.1498, 0.2122), "mar": (-0.4337, 0.3819), "paro": (-0.0849, 0.1958),
                "prio": (0.0915, 0.0286),
            },
            4,
        ),
        (table("leukemia"), {"duration": "t", "event": "status"}, {"Rx": (1.572, 0.412)}, 3),
        (
            table("leukemia"),
            {"duration": "t", "event": "status"},
            {"Rx": (1.3861, 0.4248), "logWBC": (1.6909, 0.3359)},
            4,
        ),
        (
            table("stanford_heart_transplants"),
            {"duration": "stop", "event": "event", "entry": "start"},
            {
                "age": (0.0272, 0.0137), "year": (-0.1463, 0.0705), "surgery": (-0.6372, 0.3672),
                "transplant": (-0.0103, 0.3138),
            },
            4,
        ),
        (
            table("lung").drop_nulls("ph.ecog"),
            {"duration": "time", "event": "status"},
            {"age": (0.011067, 0.009267), "sex": (-0.552612, 0.167739), "ph.ecog": (0.463728, 0.113577)},
            6,
        ),
        (
            table("gbsg2").with_columns(**BREAST),
            {"duration": "time", "event": "cens"},
            {
                "horTh": (-0.3462784, 0.1290747), "age": (-0.0094592, 0.0093006), "menostat": (0.2584448, 0.1834765),
                "tsize": (0.0077961, 0.0039390), "linear": (0.5512988, 0.1898441), "quadratic": (-0.2010905, 0.1219654),
                "pnodes": (0.0487886, 0.0074471), "progrec": (-0.0022172, 0.0005735), "estrec": (0.0001973, 0.0004504),
            },
            7,
        ),
        (
            table("larynx"),
            {"duration": "time", "event": "death"},
            {
                "Stage_II": (0.14004, 0.46249), "Stage_III": (0.64238, 0.35611), "Stage_IV": (1.70598, 0.42191),
                "age": (0.01903, 0.01426),
            },
            5,
        ),
    ],
    ids=["rossi", "freireich", "freireich with white cells", "stanford", "lung", "breast", "larynx"],
)  # fmt: skip
def test_coefficients_and_standard_errors(rows, columns, published, digits):
    found = cox.coefficients(cox.fit(rows, list(published), **columns))
    told = {name: (coefficient, se) for name, coefficient, se in found.select("covariate", "coefficient", "se").rows()}
    last = 0.51 * 10**-digits
    assert told == {name: pytest.approx(values, abs=last) for name, values in published.items()}


def test_likelihood_ratio_of_rossi_against_fox_2002():
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    found = cox.fit(table("rossi"), names, duration="week", event="arrest")
    assert (found.n, found.n_events) == (432, 114)
    assert 2 * (found.log_likelihood - found.log_likelihood_null) == pytest.approx(33.3, abs=0.05)
