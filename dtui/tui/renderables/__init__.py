"""Everything the TUI draws, as pure functions of numbers and a size; free of Textual and Rich."""
