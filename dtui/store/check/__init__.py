"""`dtui check`: finds damaged files of a run and says what data each one loses."""
