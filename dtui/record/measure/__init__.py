"""Measures one record of a live network: sums and samples on the training's thread, statistics on the writer's."""
