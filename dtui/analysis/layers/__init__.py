"""Pictures of layers as numbers: histograms on common bins, a graph in lanes."""
