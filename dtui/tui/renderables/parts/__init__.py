"""Parts that several panes use: titles, scales, marks, rows of pixels."""
