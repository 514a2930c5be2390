"""ComfyUI nodes of POSI (V3 schema), its HTTP routes and its enforcement. Imported by ComfyUI's door alone."""
