"""The gate on POST /prompt for shared machines: off unless the settings or the environment ask for it."""
