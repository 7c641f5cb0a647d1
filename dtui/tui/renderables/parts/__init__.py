"""Parts that several panes are drawn with: titles, scales, marks, rows of pixels."""
