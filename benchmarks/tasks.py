"""Real tasks with groups: each trains a real learner on the first so many rows of every group's market.

digits     a model of its own per camera: clean, noisy, half covered, very noisy, a quarter of the labels wrong
           (scikit-learn)
diamonds   log price by nearest neighbours, groups are cuts, prices 1 to 20 (package pydataset)
strings    kind of a short string (territory, language, currency, script, city) in 8 languages; naive Bayes on character
           n-grams (package babel)
languages  which of 8 languages, close pairs among them; groups are the languages, the metric their recall (message
           catalogues of package django)
doctor     whether somebody sees a doctor in a year, a model for four groups by sex and work; the labels set the floor
           (package pydataset)
compas     re-offence within two years, groups race and sex; the labels set the floor (a file, COMPAS)
nhanes     survival after NHANES I by log loss, a model of its own per race and sex (folder nhanes/)
census     income by log loss, a model of its own per race and sex (folder census/)
"""

import csv
import gzip
import io
import re
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
from people import fitted, load, normalised
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from task import Offer, Task, accuracy, grams, likelier, naive_bayes, nearest, split

from app.planner.arrays import FloatArray, IntArray
from app.planner.utility import Metric


@dataclass(frozen=True)
class Places:
    """Where the data lie: a folder with the packages, one with census/ and nhanes/, and the file of COMPAS."""

    packages: Path | None = None
    data: Path | None = None
    compas: Path | None = None


DIGITS = Offer(
    ("clean", "noisy", "covered", "very_noisy", "bad_labels"),
    (100, 40, 30, 30, 40), (1.0, 2.0, 1.0, 1.0, 3.0), (250,) * 5, (400,) * 5, 1500.0,
)  # fmt: skip


def digits(_: Places, seed: int) -> Task:
    x, y = load_digits(return_X_y=True)
    random, rows = np.random.default_rng((seed, 1)), len(x)
    covered = x * (np.arange(64) % 8 < 4)
    seen = np.concatenate([x, x + random.normal(0, 4, x.shape), covered, x + random.normal(0, 9, x.shape), x])
    truth = np.tile(y, 5)
    labels = truth.copy()
    wrong = 4 * rows + np.flatnonzero(random.random(rows) < 0.25)
    labels[wrong] = random.integers(0, 10, len(wrong))
    groups = [group * rows + np.arange(rows) for group in range(5)]
    return split("digits", DIGITS, groups, seed, nearest(seen, labels, 1), accuracy(truth), own_models=True)


DIAMONDS = Offer(
    ("Ideal", "Premium", "Very Good", "Good", "Fair"),
    (200, 150, 100, 40, 20), (1.0, 1.0, 1.5, 5.0, 20.0), (300,) * 5, (450,) * 5, 3000.0,
)  # fmt: skip
MOST_DIAMONDS = 6000
"""Of each cut, so that the market is not endless for the common ones."""


def diamonds(places: Places, seed: int) -> Task:
    x, y, cuts = _diamonds(_folder(places.packages, "--packages"))
    random = np.random.default_rng((seed, 2))
    rows = [random.permutation(np.flatnonzero(cuts == g))[:MOST_DIAMONDS] for g in range(len(DIAMONDS.keys))]

    def error(told: FloatArray, asked: IntArray) -> tuple[float, float]:
        squares = (told - y[asked]) ** 2
        rmse = float(np.sqrt(squares.mean()))
        return rmse, float(squares.std() / np.sqrt(len(squares)) / (2.0 * rmse))

    return split(
        "diamonds", DIAMONDS, rows, seed, nearest(x, y, 4), error, metric=Metric("minimize", 0.0, None),
        metric_kind="other", reference=np.array([y[part].std() for part in rows]),
    )  # fmt: skip


@cache
def _diamonds(packages: Path) -> tuple[FloatArray, FloatArray, IntArray]:
    """Scaled features and log price of every diamond, and its cut's place in DIAMONDS."""
    rows = _table(packages, "ggplot2/diamonds.csv")
    clarity = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]

    def features(row: dict[str, str]) -> list[float]:
        cut = len(DIAMONDS.keys) - 1 - DIAMONDS.keys.index(row["cut"])
        shape = [(float(row["depth"]) - 61.0) / 6.0, (float(row["table"]) - 57.0) / 8.0, 0.3 * cut]
        looks = [0.25 * "DEFGHIJ".index(row["color"]), 0.3 * clarity.index(row["clarity"])]
        return [4.0 * np.log(float(row["carat"])), *looks, *shape]

    y = np.log([float(row["price"]) for row in rows])
    return np.array([features(row) for row in rows]), y, np.array([DIAMONDS.keys.index(row["cut"]) for row in rows])


STRINGS = Offer(
    ("en", "de", "ru", "el", "ar", "hi", "zh", "th"), (400, 200, 100, 40, 60, 40, 80, 30),
    (1.0, 1.2, 1.5, 3.0, 2.0, 2.0, 2.0, 4.0), (250,) * 8, (350,) * 8, 2000.0,
)  # fmt: skip


def strings(places: Places, seed: int) -> Task:
    x, y, rows = _strings(_folder(places.packages, "--packages"))
    return split("strings", STRINGS, rows, seed, naive_bayes(x, y, learns_shares=True), accuracy(y))


@cache
def _strings(packages: Path) -> tuple[csr_matrix, IntArray, tuple[IntArray, ...]]:
    sys.path.append(str(packages))
    locale = import_module("babel").Locale
    texts: list[str] = []
    kinds: list[int] = []
    rows = []
    for key in STRINGS.keys:
        of = locale.parse(key)
        cities = [zone["city"] for zone in of.time_zones.values() if zone.get("city")]
        parts = (of.territories.values(), of.languages.values(), of.currencies.values(), of.scripts.values(), cities)
        kind_of: dict[str, int] = {}
        for kind, names in enumerate(parts):
            for name in names:
                kind_of.setdefault(str(name), kind)
        rows.append(len(texts) + np.arange(len(kind_of)))
        texts += kind_of
        kinds += kind_of.values()
    return grams(texts), np.array(kinds), tuple(rows)


LANGUAGES = Offer(
    ("sv", "es", "cs", "da", "nb", "gl", "sk", "nn"), (80, 100, 60, 40, 30, 20, 20, 10),
    (1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 3.0), (120,) * 8, (160,) * 8, 800.0,
)  # fmt: skip


def languages(places: Places, seed: int) -> Task:
    x, y, rows = _languages(_folder(places.packages, "--packages"))
    return split("languages", LANGUAGES, rows, seed, naive_bayes(x, y, learns_shares=False), accuracy(y))


MESSAGE = re.compile(r'^msgstr(?:\[\d\])? "(.*)"((?:\n".*")*)', re.MULTILINE)
PLACEHOLDER = re.compile(r"%\(\w+\)s|%[sd]|\\n|\{\w+\}|<[^>]+>")


@cache
def _languages(packages: Path) -> tuple[csr_matrix, IntArray, tuple[IntArray, ...]]:
    texts: list[str] = []
    of: list[int] = []
    rows = []
    for place, key in enumerate(LANGUAGES.keys):
        found = sorted({text for file in _catalogues(packages, key) for text in _messages(file)})
        rows.append(len(texts) + np.arange(len(found)))
        texts += found
        of += [place] * len(found)
    return grams(texts), np.array(of), tuple(rows)


def _catalogues(packages: Path, language: str) -> list[Path]:
    return sorted((packages / "django").glob(f"**/locale/{language}/LC_MESSAGES/*.po"))


def _messages(file: Path) -> Iterable[str]:
    """Its translations of 4 to 60 characters, placeholders left out."""
    for found in MESSAGE.finditer(file.read_text(encoding="utf-8")):
        whole = found[1] + "".join(re.findall(r'"(.*)"', found[2]))
        text = re.sub(r"\s+", " ", PLACEHOLDER.sub(" ", whole)).strip()
        if 4 <= len(text) <= 60 and "Language" not in text:
            yield text


DOCTOR = Offer(
    ("man_works", "woman_works", "woman_at_home", "man_at_home"),
    (60, 40, 40, 20), (1.0, 1.0, 2.0, 3.0), (250, 250, 250, 120), (600, 350, 350, 180), 600.0,
)  # fmt: skip


def doctor(places: Places, seed: int) -> Task:
    x, y, group = _doctor(_folder(places.packages, "--packages"))
    rows = [np.flatnonzero(group == g) for g in range(len(DOCTOR.keys))]
    return split("doctor", DOCTOR, rows, seed, likelier(x, y), accuracy(y))


@cache
def _doctor(packages: Path) -> tuple[FloatArray, IntArray, IntArray]:
    """Each person's first year: features, whether there was a visit, and the group's place in DOCTOR."""
    first: dict[str, dict[str, str]] = {}
    for row in _table(packages, "COUNT/rwm5yr.csv"):
        first.setdefault(row["id"], row)
    people = list(first.values())
    names = ("age", "married", "kids", "hhninc", "educ", "self", "outwork", "female")
    x = np.array([[float(row[name]) for name in names] for row in people])
    group = np.array([{"00": 0, "10": 1, "11": 2, "01": 3}[row["female"] + row["outwork"]] for row in people])
    return x, np.array([int(float(row["docvis"]) > 0.0) for row in people]), group


COMPAS = Offer(
    ("African-American Male", "Caucasian Male", "African-American Female", "Caucasian Female", "Hispanic Male"),
    (60, 50, 20, 20, 20), (1.0, 1.0, 2.0, 2.0, 3.0), (300, 300, 100, 100, 80), (700, 500, 160, 130, 120), 600.0,
)  # fmt: skip


def compas(places: Places, seed: int) -> Task:
    x, y, group = _compas(_folder(places.compas, "--compas"))
    rows = [np.flatnonzero(group == g) for g in range(len(COMPAS.keys))]
    return split("compas", COMPAS, rows, seed, likelier(x, y), accuracy(y))


@cache
def _compas(file: Path) -> tuple[FloatArray, IntArray, IntArray]:
    """Features, re-offence, and the group's place in COMPAS."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        rows = [row for row in csv.DictReader(text) if f"{row['race']} {row['sex']}" in COMPAS.keys]
    counts = ("juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count", "days_in_jail")
    group = np.array([COMPAS.keys.index(f"{row['race']} {row['sex']}") for row in rows])
    age = np.array([float(row["age"]) for row in rows])
    logs = np.log1p([[max(0.0, float(row[name])) for name in counts] for row in rows])
    felony = np.array([row["c_charge_degree"] == "F" for row in rows])
    x = np.column_stack([age, age**2, age < 25, logs, felony, group[:, None] == np.arange(len(COMPAS.keys))])
    return x.astype(np.float64), np.array([int(row["y"]) for row in rows]), group


NHANES = Offer(
    ("White_Female", "White_Male", "Black_Female", "Black_Male"),
    (200, 150, 50, 50), (1.0, 1.0, 2.0, 2.0), (700, 600, 200, 120), (700, 600, 200, 120), 800.0,
)  # fmt: skip
CENSUS = Offer(
    ("White_Male", "White_Female", "Black_Male", "Black_Female"),
    (200, 100, 40, 40), (1.0, 1.0, 3.0, 3.0), (1200, 1200, 300, 300), (1200, 1200, 300, 300), 1500.0,
)  # fmt: skip


def nhanes(places: Places, seed: int) -> Task:
    left_out = ("race", "sex", "survival_years")
    return _people("nhanes", NHANES, _folder(places.data, "--data") / "nhanes" / "nhanes1.csv.gz", left_out, seed)


def census(places: Places, seed: int) -> Task:
    file = _folder(places.data, "--data") / "census" / "adult.csv.gz"
    return _people("census", CENSUS, file, ("race", "sex"), seed)


def _people(name: str, offer: Offer, file: Path, left_out: tuple[str, ...], seed: int) -> Task:
    """People by log loss over that of the base rate, a model of its own for each group."""
    table = _loaded(file, offer.keys, left_out)
    return split(
        name,
        offer,
        table.rows,
        seed,
        lambda rows, asked: fitted("logistic regression", table.x[rows], table.y[rows])(table.x[asked]),
        lambda told, rows: normalised(told, table.y[rows]),
        metric=Metric("minimize", 0.0, None),
        metric_kind="other",
        own_models=True,
    )


_loaded = cache(load)


def _folder(place: Path | None, option: str) -> Path:
    if place is None:
        raise ValueError(f"this task reads files: say where they lie with {option}")
    return place


def _table(packages: Path, name: str) -> list[dict[str, str]]:
    """A table that pydataset ships, packed as it is."""
    with tarfile.open(packages / "pydataset" / "resources.tar.gz") as packed:
        file = packed.extractfile(f"resources/rdata/csv/{name}")
        if file is None:
            raise ValueError(f"pydataset has no table {name}")
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


TASKS: dict[str, Callable[[Places, int], Task]] = {
    "digits": digits,
    "diamonds": diamonds,
    "strings": strings,
    "languages": languages,
    "doctor": doctor,
    "compas": compas,
    "nhanes": nhanes,
    "census": census,
}
