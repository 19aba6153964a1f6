"""Benchmarks: medians of alternating runs beside a rival or the raw floor, in the same run.

``python -m bench NAME [--check]`` prints one JSON object a metric. Absolute targets hold on an idle machine with two
cores; the ratio to what stands in ``against`` is what can be claimed elsewhere.
"""
