"""A stand-in for MovieLens-100K in both of its packings: five users, six films, the same content twice."""

import zipfile
from pathlib import Path

RATINGS = [
    (2, 10, 5, 900),
    (1, 10, 3, 800),
    (3, 2, 4, 850),
    (1, 3, 2, 801),
    (4, 4, 1, 700),
    (5, 6, 5, 701),
    (2, 5, 4, 900),
]
USERS = [(u, 20 + u, "FM"[u % 2], "artist", "0000" + str(u)) for u in range(1, 6)]
FILMS = {  # id: title and year at GroupLens, title and year in the wheel, genres
    2: ("Empire Strikes Back, The (1980)", "Empire Strikes Back, The", "1980", ["Action", "Sci-Fi"]),
    3: ("Misérables, Les (1995)", "Misérables, Les", "1995", ["Drama"]),
    4: ("Umbrellas, The (Parapluies, Les) (1964)", "Umbrellas, The (Parapluies, Les)", "1964", ["Drama"]),
    5: ("unknown", "unkonwn", "unkonwn", ["unknown"]),
    6: ("Land III (1995) (V)", "Land III (1995)", "V", ["Animation", "Children's"]),
    10: (
        "Star Maker, The (Uomo delle stelle, L') (1995)",
        "Star Maker, The (Uomo delle stelle, L')",
        "1995",
        ["Drama"],
    ),
}
GENRES = ["unknown", "Action", "Animation", "Children's", "Drama", "Sci-Fi"]
TITLES = ["The Empire Strikes Back", "Les Miserables", "The Umbrellas (Les Parapluies)", "unknown", "Land III"]
TITLES.append("The Star Maker (L'Uomo delle stelle)")


def _lines(rows, separator: str, header: str = "") -> str:
    return header + "".join(separator.join(map(str, row)) + "\n" for row in rows)


def grouplens_zip(path: Path) -> Path:
    """As GroupLens packs it: |-separated, Latin-1, one flag a genre."""
    films = [
        (i, title, f"01-Jan-{year}", "", "http", *(int(g in own) for g in GENRES))
        for i, (title, _, year, own) in FILMS.items()
    ]
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("ml-100k/u.data", _lines(RATINGS, "\t"))
        bundle.writestr("ml-100k/u.user", _lines(USERS, "|"))
        bundle.writestr("ml-100k/u.genre", _lines(zip(GENRES, range(9), strict=False), "|"))
        bundle.writestr("ml-100k/u.item", _lines(films, "|").encode("latin-1"))
    return path


def wheel(path: Path) -> Path:
    """As the wheel packs it: tab-separated, UTF-8, with headers; and code in it that must never run."""
    films = [(i, title, year, " ".join(own)) for i, (_, title, year, own) in FILMS.items()]
    base, name = "recbole/dataset_example/ml-100k/ml-100k", path.name.split("-")[0]
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(f"{base}.inter", _lines(RATINGS, "\t", "user_id:token\titem_id\trating\ttimestamp\n"))
        bundle.writestr(f"{base}.user", _lines(USERS, "\t", "user_id\tage\tgender\toccupation\tzip\n"))
        bundle.writestr(f"{base}.item", _lines(films, "\t", "item_id\tmovie_title\trelease_year\tclass\n"))
        bundle.writestr("recbole/__init__.py", "raise SystemExit('code of a data wheel was run')\n")
        bundle.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        bundle.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        bundle.writestr(f"{info}/RECORD", "")
    return path
