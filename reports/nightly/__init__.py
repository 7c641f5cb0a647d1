"""Makes the reports of a folder of runs, every night, and one page that says which of them need a person."""
