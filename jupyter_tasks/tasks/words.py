"""Words that a task is named with when its prompt gives none: an adjective, and who once found something.

Owns the two lists; every pair is a valid name of at most 27 characters.
"""

from __future__ import annotations

__all__ = ["ADJECTIVES", "SURNAMES"]

ADJECTIVES = (
    *("able", "agile", "amber", "awake", "bold", "brave", "bright", "brisk", "calm", "careful", "cheerful", "civil"),
    *("clear", "clever", "crisp", "curious", "daring", "deft", "eager", "earnest", "fair", "fleet", "frank", "fresh"),
    *("gentle", "glad", "golden", "grand", "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively"),
    *(
        "lucid",
        "mellow",
        "merry",
        "mighty",
        "modest",
        "neat",
        "nimble",
        "noble",
        "patient",
        "placid",
        "polite",
        "proud",
    ),
    *("quick", "quiet", "ready", "serene", "sharp", "silver", "simple", "smart", "solid", "steady", "sunny", "swift"),
    *("tidy", "upbeat", "vivid", "warm", "wise", "witty", "zesty"),
)

SURNAMES = (
    *("abel", "agnesi", "ampere", "archimedes", "avicenna", "babbage", "banach", "bayes", "bell", "blackwell", "bohr"),
    *("boole", "bose", "cantor", "carson", "cauchy", "chandrasekhar", "clarke", "curie", "darwin", "dijkstra", "dirac"),
    *(
        "easley",
        "einstein",
        "euclid",
        "euler",
        "faraday",
        "fermi",
        "feynman",
        "fourier",
        "franklin",
        "galileo",
        "galois",
    ),
    *("gauss", "germain", "goodall", "hamilton", "hawking", "heisenberg", "hilbert", "hodgkin", "hopper", "hypatia"),
    *("johnson", "kepler", "khayyam", "kovalevskaya", "lagrange", "lamarr", "lamport", "leavitt", "leibniz", "liskov"),
    *("lovelace", "maxwell", "mcclintock", "meitner", "mendel", "mirzakhani", "napier", "newton", "nightingale"),
    *("noether", "pascal", "pasteur", "poincare", "ptolemy", "ramanujan", "riemann", "ritchie", "rubin", "shannon"),
    *("sinoussi", "tesla", "thompson", "torvalds", "turing", "vaughan", "volta", "wiles", "wu", "yalow"),
)
