"""What a person looks at, as frozen values, and how each key changes it."""
