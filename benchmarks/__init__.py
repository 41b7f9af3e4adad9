"""What LSM costs and how well it finds, measured through its public interface.

``python -m benchmarks`` runs everything and writes ``docs/explanation/performance.md``;
``python -m benchmarks quality latency`` runs those two and prints what they found.
"""
