"""The trainer's commands, one file a noun. Each imports its work only when it is run."""
