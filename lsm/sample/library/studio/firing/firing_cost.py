"""What a firing costs, split over the two electricity tariffs of 2026.

Run it before a firing: python firing_cost.py 96 22 13.0
(kilowatt-hours, hour of the day at which it starts, hours it takes)
"""

import sys

DAY_RATE = 0.31  # euros per kWh, 06:00 to 22:00
NIGHT_RATE = 0.19  # euros per kWh, 22:00 to 06:00
QUARTERS = 4  # the meter bills in steps of a quarter of an hour


def is_night(hour: float) -> bool:
    """Whether the night tariff holds at *hour*, 0 to 24."""
    return hour >= 22 or hour < 6


def firing_cost(kwh: float, start_hour: float, duration: float) -> float:
    """Cost in euros, as if the kiln drew the same power all the time.

    It does not: it draws least at the start and most near the peak. Measured against
    twelve bills the result is 4 % too high for firings that begin at 22:00.
    """
    steps = max(1, round(duration * QUARTERS))
    share = kwh / steps
    hours = ((start_hour + step / QUARTERS) % 24 for step in range(steps))
    return sum(share * (NIGHT_RATE if is_night(hour) else DAY_RATE) for hour in hours)


def cost_per_piece(kwh: float, start_hour: float, duration: float, pieces: int) -> float:
    """Cost in euros of one of *pieces* pots that share the kiln evenly."""
    if pieces < 1:
        raise ValueError("an empty kiln has no cost per piece")
    return firing_cost(kwh, start_hour, duration) / pieces


if __name__ == "__main__":
    energy, start, length = (float(argument) for argument in sys.argv[1:4])
    sys.stdout.write(f"{firing_cost(energy, start, length):.2f} euros\n")
