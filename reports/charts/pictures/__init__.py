"""Small pictures that are drawn already, without a converter: the evidence of an incident, and the error as a strip."""
