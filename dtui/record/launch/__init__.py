"""Records a script that says nothing of dtui: what `dtui run` does in the processes of its command."""
