"""Pure functions from numbers to Vega and Vega-Lite specifications."""
