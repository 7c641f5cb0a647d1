"""Where a person goes: what a typed line may mean, links to a place, searches."""
