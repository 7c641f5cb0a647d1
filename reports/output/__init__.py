"""One document, written as HTML, as text, and with pictures drawn."""
