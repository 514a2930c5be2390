"""The AUTOMATIC1111/Forge extension and the page of `posi ui`. Thin: what decides lives in `posi_core`."""
