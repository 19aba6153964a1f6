"""Makes up sales figures: data/sales.csv, one row for each month, region, product and channel.

The same seed makes the same figures. Run it again with other arguments for fresh ones.
"""

import argparse
import csv
import math
import random
from datetime import date
from pathlib import Path

REGIONS = {"Americas": 1.25, "Europe": 1.0, "Asia Pacific": 0.85}
PRODUCTS = {"Notebook": (1290.0, 42), "Tablet": (540.0, 68), "Headset": (129.0, 130), "Dock": (219.0, 55)}
CHANNELS = {"Online": 1.0, "Retail": 0.7, "Partner": 0.45}
COLUMNS = ("month", "region", "product", "channel", "units", "revenue")


def months(count, until):
    """The ``count`` months that end with the month of ``until``, as (year, month)."""
    last = until.year * 12 + until.month - 1
    return [divmod(number, 12) for number in range(last - count + 1, last + 1)]


def rows(count, until, seed):
    """The figures: growth, a season with a peak before the year's end, and chance."""
    chance = random.Random(seed)  # noqa: S311 - made-up figures, not secrets
    for index, (year, month) in enumerate(months(count, until)):
        season = 1 + 0.22 * math.sin((month - 7) / 12 * 2 * math.pi) + (0.3 if month in (10, 11) else 0)
        growth = 1.018**index
        for region, size in REGIONS.items():
            for product, (price, volume) in PRODUCTS.items():
                for channel, share in CHANNELS.items():
                    units = round(volume * size * share * season * growth * chance.uniform(0.82, 1.18))
                    revenue = units * price * (0.93 if channel == "Partner" else 1.0)
                    yield (f"{year:04d}-{month + 1:02d}", region, product, channel, units, f"{revenue:.2f}")


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=12, help="how many months (default 12)")
    parser.add_argument("--until", default="2026-06-30", help="the last day, or 'today'")
    parser.add_argument("--seed", type=int, default=7, help="another number makes other figures")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent / "data" / "sales.csv")
    given = parser.parse_args()
    until = date.today() if given.until == "today" else date.fromisoformat(given.until)  # noqa: DTZ011
    made = list(rows(given.months, until, given.seed))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(made)
    print(f"{len(made)} rows of sales, {made[0][0]} to {made[-1][0]}")


if __name__ == "__main__":
    main()
