"""The paper's first stage: a large model writes the clean twin of each toxic prompt (`posi data teach`)."""
